package consensus

import (
	"fmt"
	"log/slog"
)

// quiet passes Raft's warnings and errors on and drops the rest.
type quiet struct{ log *slog.Logger }

func (quiet) Debug(...any)          {}
func (quiet) Debugf(string, ...any) {}
func (quiet) Info(...any)           {}
func (quiet) Infof(string, ...any)  {}

func (q quiet) Warning(v ...any)            { q.log.Warn(fmt.Sprint(v...)) }
func (q quiet) Warningf(f string, v ...any) { q.log.Warn(fmt.Sprintf(f, v...)) }
func (q quiet) Error(v ...any)              { q.log.Error(fmt.Sprint(v...)) }
func (q quiet) Errorf(f string, v ...any)   { q.log.Error(fmt.Sprintf(f, v...)) }
func (q quiet) Fatal(v ...any)              { panic(fmt.Sprint(v...)) }
func (q quiet) Fatalf(f string, v ...any)   { panic(fmt.Sprintf(f, v...)) }
func (q quiet) Panic(v ...any)              { panic(fmt.Sprint(v...)) }
func (q quiet) Panicf(f string, v ...any)   { panic(fmt.Sprintf(f, v...)) }
