// Command parley trains Transformers on ordinary processors and uses what it trained.
//
// One file here is one verb; what a verb does lives in the packages below.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-lm/parley/quickstart"
	"github.com/parley-lm/parley/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Args[1:]))
}

// run executes one command line and returns its exit status: 0, 1 for an error, 2 for wrong usage, 130 if interrupted.
func run(ctx context.Context, a *app, args []string) int {
	root := a.command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if errors.Is(err, syscall.EPIPE) { // the reader of our output has left; there is nobody to tell
		return 1
	}
	a.clearBar()
	var wrong *usageError
	var stopped *train.Interrupted
	var halted *quickstart.Stopped
	switch {
	case errors.Is(err, context.Canceled) && !errors.As(err, &stopped) && !errors.As(err, &halted):
		fmt.Fprintln(a.err, "parley: interrupted")
	default:
		fmt.Fprintln(a.err, "parley:", err)
	}
	switch {
	case errors.As(err, &wrong):
		return 2
	case errors.Is(err, context.Canceled):
		return 130
	}
	return 1
}
