// Command understudy is a gateway that keeps an application running when its model
// vendor fails. See README.md.
package main

import (
	"os"

	"github.com/understudy-ai/understudy/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
