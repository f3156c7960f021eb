package nodefile

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Duration is written like 100ms or 1.5s.
type Duration time.Duration

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := time.ParseDuration(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return fmt.Errorf("%q is no duration: write it with its unit, such as 100ms", n.Value)
	}
	*d = Duration(parsed)
	return nil
}

// Size is a number of bytes, written like 8MiB or 1000000.
type Size uint64

var units = []struct {
	name  string
	bytes uint64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}}

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	text, unit := n.Value, uint64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = rest, u.bytes
			break
		}
	}
	count, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil || n.Kind != yaml.ScalarNode || count > math.MaxInt64/unit {
		return fmt.Errorf("%q is no size: write whole bytes, or KiB, MiB, GiB, TiB, such as 8MiB", n.Value)
	}
	*s = Size(count * unit)
	return nil
}

// known lists the fields of a section, by the name of its type.
func known(section string) []string {
	t := reflect.TypeFor[File]()
	for i := range t.NumField() {
		if f := t.Field(i).Type; section == f.Name() {
			return names(f)
		}
	}
	return names(t)
}

func names(t reflect.Type) []string {
	var list []string
	for i := range t.NumField() {
		list = append(list, t.Field(i).Tag.Get("yaml"))
	}
	return list
}
