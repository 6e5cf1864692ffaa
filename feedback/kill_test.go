package feedback

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestKilledWhileAdding kills a program that adds rankings, several times: what it said it had kept is there, and the store opens.
func TestKilledWhileAdding(t *testing.T) {
	if path := os.Getenv("PARLEY_TEST_ADD_TO"); path != "" {
		addForever(path)
	}
	path := filepath.Join(t.TempDir(), "feedback.db")
	kept := 0
	for round := range 3 {
		c := exec.Command(os.Args[0], "-test.run", "^TestKilledWhileAdding$")
		c.Env = append(os.Environ(), "PARLEY_TEST_ADD_TO="+path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		said := 0
		for lines := bufio.NewScanner(out); said < 5+3*round && lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "kept") {
				said++
			}
		}
		c.Process.Kill()
		c.Wait()
		kept += said
		s, err := Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		report, err := s.Report(context.Background())
		s.Close()
		if err != nil || said == 0 || report.Rankings < kept {
			t.Fatalf("round %d: %d rankings are left of %d, %v", round, report.Rankings, kept, err)
		}
		kept = report.Rankings
	}
}

func addForever(path string) {
	s, err := Open(context.Background(), path)
	for i := 0; err == nil; i++ {
		if _, err = s.Add(context.Background(), text(fmt.Sprint(os.Getpid(), i), "a", "b").by("ann", 1, 2)); err == nil {
			fmt.Println("kept", i)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}
