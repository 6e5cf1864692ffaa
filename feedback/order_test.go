package feedback

import (
	"fmt"
	"testing"
)

func TestOrderIsTypedKeyByKey(t *testing.T) {
	for _, c := range []struct{ keys, want, ranks string }{
		{"", "", "[]"},
		{"2", "2", "[2 1 2 2]"},
		{"213", "2 > 1 > 3", "[2 1 3 4]"},
		{"2=13", "2 = 1 > 3", "[1 1 2 3]"},
		{"2=", "2 = ", "[2 1 2 2]"},
		{"2=<", "2", "[2 1 2 2]"},
		{"2=1<", "2 = ", "[2 1 2 2]"},
		{"2=1<<<<", "", "[]"},
		{"=21=34", "2 > 1 = 3 > 4", "[2 1 2 3]"},
		{"22199", "2 > 1", "[2 1 3 3]"},
		{"1234=", "1 > 2 > 3 > 4", "[1 2 3 4]"},
	} {
		o := NewOrder(4)
		for _, k := range c.keys {
			switch k {
			case '=':
				o.Tie()
			case '<':
				o.Back()
			default:
				o.Pick(int(k - '1'))
			}
		}
		if got := fmt.Sprint(o.Ranks()); o.String() != c.want || got != c.ranks {
			t.Errorf("%s: %q %s, want %q %s", c.keys, o, got, c.want, c.ranks)
		}
	}
}
