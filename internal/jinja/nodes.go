package jinja

// statement is what a template does; run reports whether a loop is to be left or gone on with.
type statement interface {
	run(s *state) jump
}

type jump int

const (
	goOn jump = iota
	breakLoop
	continueLoop
)

// expr is what has a value.
type expr interface {
	eval(s *state) Value
}

type (
	dataNode   struct{ text string }
	outputNode struct {
		line  int
		value expr
	}
	ifNode struct {
		line      int
		branches  []branch
		otherwise []statement
	}
	branch struct {
		test expr
		body []statement
	}
	forNode struct {
		line            int
		target          target
		over, filter    expr
		recursive       bool
		body, otherwise []statement
	}
	setNode struct {
		line   int
		target target
		value  expr        // or, of a block, its filters
		block  []statement // nil for {% set x = value %}
	}
	macroNode struct {
		line  int
		macro *macro
	}
	callNode struct {
		line   int
		call   *callExpr
		caller *macro
	}
	filterNode struct {
		line   int
		filter expr
		body   []statement
	}
	scopeNode struct {
		targets []target
		values  []expr
		body    []statement
	}
	generationNode struct{ body []statement }
	jumpNode       struct{ kind string }
)

// target is what a value is assigned to.
type target struct {
	name      string
	attribute string   // of a namespace
	several   []target // takes a value apart
}

type macro struct {
	name            string
	args            []parameter
	body            []statement
	varargs, kwargs bool // the body uses what no parameter takes
}

type parameter struct {
	name      string
	otherwise expr // nil: undefined
}

type (
	constExpr struct{ value Value }
	nameExpr  struct {
		line int
		name string
	}
	listExpr struct {
		items []expr
		tuple bool
	}
	dictExpr struct {
		line         int
		keys, values []expr
	}
	conditionExpr struct {
		line                  int
		test, then, otherwise expr
	}
	logicExpr struct {
		line        int
		and         bool
		left, right expr
	}
	notExpr     struct{ of expr }
	compareExpr struct {
		line  int
		first expr
		ops   []string
		rest  []expr
	}
	binaryExpr struct {
		line        int
		op          string
		left, right expr
	}
	signExpr struct {
		line int
		op   string
		of   expr
	}
	attributeExpr struct {
		line int
		of   expr
		name string
	}
	itemExpr struct {
		line    int
		of, key expr
	}
	sliceExpr struct {
		line  int
		of    expr
		parts [3]expr
	}
	callExpr struct {
		line int
		of   expr
		args argumentList
	}
	filterExpr struct {
		line   int
		name   string
		filter filter
		of     expr // nil: what the tag around it holds
		args   argumentList
	}
	testExpr struct {
		line int
		test test
		of   expr
		args argumentList
	}
)

// argumentList is what a call says; arguments is what that comes to.
type argumentList struct {
	positional  []expr
	keys        []string
	values      []expr
	rest, named expr // *rest and **named
}
