package main

import (
	"fmt"
	"strings"

	"github.com/rivo/uniseg"
)

// printTable prints rows as columns, the first and the last to the left, all others, which are numbers, to the right.
func (a *app) printTable(rows [][]string) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell))
			switch {
			case i == 0:
				line.WriteString(cell + space)
			case i == len(row)-1:
				line.WriteString("  " + cell + space)
			default:
				line.WriteString("  " + space + cell)
			}
		}
		if _, err := fmt.Fprintln(a.out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}
