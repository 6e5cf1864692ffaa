module github.com/parley-lm/parley

go 1.26
