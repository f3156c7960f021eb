// Package main is etcd, and the clients that its figures come from: `etcd load …`
// writes entries to a cluster, anything else is etcd's own program.
//
// It is a module of its own, so that nothing of etcd becomes part of coco.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "load" {
		if err := load(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	etcdmain.Main(os.Args)
}
