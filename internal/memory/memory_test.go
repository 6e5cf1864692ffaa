package memory

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

func TestFloatsBeginOnCacheLines(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 1000, large / 4, 3*page/4 + 5} {
		x := Floats(n)
		if len(x) != n || cap(x) != n {
			t.Errorf("%d floats: length %d, capacity %d", n, len(x), cap(x))
		}
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(x))); n > 0 && at%line != 0 {
			t.Errorf("%d floats begin at %#x", n, at)
		}
		for i, v := range x {
			if v != 0 {
				t.Fatalf("%d floats: [%d] is %v", n, i, v)
			}
		}
	}
}

func TestLongSlicesLieInLargePages(t *testing.T) {
	enabled, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if err != nil || strings.Contains(string(enabled), "[never]") {
		t.Skip("this system has no transparent large pages")
	}
	before := largePageBytes(t)
	var kept [][]float32
	for range 16 { // each smaller than a page, all together larger than many
		x := Floats(page / 4 / 2)
		for i := range x {
			x[i] = 1
		}
		kept = append(kept, x)
	}
	if got := largePageBytes(t) - before; got < 2*page {
		t.Errorf("of %d slices of half a page each, %d bytes lie in large pages", len(kept), got)
	}
}

// largePageBytes is how much of the process lies in large pages.
func largePageBytes(t *testing.T) int {
	t.Helper()
	rollup, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Skip("this system does not tell: ", err)
	}
	found := regexp.MustCompile(`AnonHugePages:\s+(\d+) kB`).FindSubmatch(rollup)
	if found == nil {
		t.Skip("this system does not tell of large pages")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
