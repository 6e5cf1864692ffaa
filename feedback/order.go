package feedback

import (
	"slices"
	"strconv"
	"strings"
)

// Order is a ranking in the making: answers picked one after the other, best first, some of them tied.
type Order struct {
	n      int
	groups [][]int
	tie    bool // the next answer picked is as good as the last
}

// NewOrder begins a ranking of n answers, which count from 0.
func NewOrder(n int) *Order { return &Order{n: n} }

// Pick puts an answer behind those picked so far, or beside the last of them after Tie. It is false for an answer that does not
// exist or is placed already.
func (o *Order) Pick(answer int) bool {
	if answer < 0 || answer >= o.n || slices.ContainsFunc(o.groups, func(g []int) bool { return slices.Contains(g, answer) }) {
		return false
	}
	if o.tie {
		last := len(o.groups) - 1
		o.groups[last] = append(o.groups[last], answer)
	} else {
		o.groups = append(o.groups, []int{answer})
	}
	o.tie = false
	return true
}

// Tie says that the next answer is as good as the last one; it is false where none is picked, or none is left.
func (o *Order) Tie() bool {
	if len(o.groups) == 0 || o.placed() == o.n {
		return false
	}
	o.tie = true
	return true
}

// Back takes back the last Pick or Tie; it is false where there is none.
func (o *Order) Back() bool {
	if o.tie {
		o.tie = false
		return true
	}
	last := len(o.groups) - 1
	if last < 0 {
		return false
	}
	if g := o.groups[last]; len(g) > 1 {
		o.groups[last] = g[:len(g)-1]
		o.tie = true
	} else {
		o.groups = o.groups[:last]
	}
	return true
}

func (o *Order) placed() int {
	n := 0
	for _, g := range o.groups {
		n += len(g)
	}
	return n
}

// Ranks are the places of all answers, from 1; those not picked share the last one. It is nil where none is picked.
func (o *Order) Ranks() []int {
	if len(o.groups) == 0 {
		return nil
	}
	ranks := make([]int, o.n)
	for i := range ranks {
		ranks[i] = len(o.groups) + 1
	}
	for i, g := range o.groups {
		for _, answer := range g {
			ranks[answer] = i + 1
		}
	}
	return ranks
}

// String writes the ranking with answers counted from 1: "2 > 1 = 3".
func (o *Order) String() string {
	var b strings.Builder
	for i, g := range o.groups {
		for j, answer := range g {
			switch {
			case j > 0:
				b.WriteString(" = ")
			case i > 0:
				b.WriteString(" > ")
			}
			b.WriteString(strconv.Itoa(answer + 1))
		}
	}
	if o.tie {
		b.WriteString(" = ")
	}
	return b.String()
}
