package corpus

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Pairs is a list of sentences with their translations: Source[i] and Target[i] belong together, neither is empty.
// Line[i] is the line of the file (from 1) that they came from, for messages.
type Pairs struct {
	Source, Target []string
	Line           []int32
}

// Len returns the number of pairs.
func (p *Pairs) Len() int { return len(p.Source) }

func (p *Pairs) add(source, target string, line int) {
	p.Source = append(p.Source, source)
	p.Target = append(p.Target, target)
	p.Line = append(p.Line, int32(line))
}

// Reverse returns the same pairs for translating the other way round; the sentences are shared.
func (p *Pairs) Reverse() *Pairs { return &Pairs{Source: p.Target, Target: p.Source, Line: p.Line} }

// Report says what was left out while reading.
type Report struct {
	Files       []string // one, or source and target
	Lines       int      // read in each file
	Pairs       int      // kept
	EmptyBoth   int      // pairs left out because both sides are empty
	EmptySource int      // because the source alone is
	EmptyTarget int      // because the target alone is
	FirstEmpty  int      // line of the first pair left out; 0 if there is none
}

// String tells the report in one line.
func (r Report) String() string {
	s := fmt.Sprintf("%d pairs from %s", r.Pairs, strings.Join(r.Files, " and "))
	if left := r.EmptyBoth + r.EmptySource + r.EmptyTarget; left > 0 {
		s += fmt.Sprintf("; %d left out (%d empty on both sides, %d without source, %d without target; the first at line %d)",
			left, r.EmptyBoth, r.EmptySource, r.EmptyTarget, r.FirstEmpty)
	}
	return s
}

// keep adds a pair, or counts it as left out.
func (r *Report) keep(p *Pairs, source, target string, line int) {
	switch {
	case source == "" && target == "":
		r.EmptyBoth++
	case source == "":
		r.EmptySource++
	case target == "":
		r.EmptyTarget++
	default:
		r.Pairs++
		p.add(source, target, line)
		return
	}
	if r.FirstEmpty == 0 {
		r.FirstEmpty = line
	}
}

// finish turns the absence of any pair into an error.
func (r *Report) finish(p *Pairs) (*Pairs, Report, error) {
	name := strings.Join(r.Files, " and ")
	if r.Lines == 0 {
		return nil, *r, fmt.Errorf("%s: empty", name)
	}
	if r.Pairs == 0 {
		return nil, *r, fmt.Errorf("%s: none of the %d lines has text on both sides", name, r.Lines)
	}
	return p, *r, nil
}

// ReadParallel reads two files of which line i of one translates line i of the other.
func ReadParallel(source, target string) (*Pairs, Report, error) {
	report := Report{Files: []string{source, target}}
	s, err := OpenLines(source)
	if err != nil {
		return nil, report, err
	}
	defer s.Close()
	t, err := OpenLines(target)
	if err != nil {
		return nil, report, err
	}
	defer t.Close()
	pairs := &Pairs{}
	for {
		sourceLine, sourceErr := s.Next()
		targetLine, targetErr := t.Next()
		for _, err := range []error{sourceErr, targetErr} {
			if err != nil && err != io.EOF {
				return nil, report, err
			}
		}
		if sourceErr == io.EOF || targetErr == io.EOF {
			break
		}
		report.Lines++
		report.keep(pairs, sentence(sourceLine), sentence(targetLine), s.Number())
	}
	if err := errors.Join(countRest(s), countRest(t)); err != nil {
		return nil, report, err
	}
	if s.Number() != t.Number() {
		return nil, report, fmt.Errorf("%s has %d lines, but %s has %d lines: line by line they must translate each other",
			source, s.Number(), target, t.Number())
	}
	return report.finish(pairs)
}

// countRest reads to the end, so that Number is the number of lines.
func countRest(l *Lines) error {
	for {
		if _, err := l.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// ReadFile reads a single file of pairs by what its name ends in, a final .gz aside: .jsonl or .ndjson as [ReadJSONL],
// .tsv, .tab or .txt as [ReadTSV].
func ReadFile(path, sourceLanguage, targetLanguage string) (*Pairs, Report, error) {
	switch strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz"))) {
	case ".jsonl", ".ndjson":
		return ReadJSONL(path, sourceLanguage, targetLanguage)
	case ".tsv", ".tab", ".txt":
		return ReadTSV(path)
	}
	return nil, Report{Files: []string{path}}, fmt.Errorf("%s: the name must end in .tsv, .tab, .txt, .jsonl or .ndjson (and .gz, if compressed)", path)
}

// ReadTSV reads a file whose lines are source, tab, target; further columns are ignored. There is no header line and no
// quoting: quotation marks are text.
func ReadTSV(path string) (*Pairs, Report, error) { return readEach(path, parseTSV) }

func parseTSV(line []byte) (source, target string, err error) {
	columns := strings.SplitN(string(line), "\t", 3)
	if len(columns) < 2 {
		if strings.TrimSpace(columns[0]) == "" {
			return "", "", nil
		}
		return "", "", errors.New("no tab; a line must be source, tab, target")
	}
	return strings.TrimSpace(columns[0]), strings.TrimSpace(columns[1]), nil
}

// readEach reads a file of which every line is a pair, by a function for one line.
func readEach(path string, parse func(line []byte) (source, target string, err error)) (*Pairs, Report, error) {
	report := Report{Files: []string{path}}
	l, err := OpenLines(path)
	if err != nil {
		return nil, report, err
	}
	defer l.Close()
	return readLines(l, report, parse)
}

func readLines(l *Lines, report Report, parse func(line []byte) (source, target string, err error)) (*Pairs, Report, error) {
	pairs := &Pairs{}
	for {
		line, err := l.Next()
		if err == io.EOF {
			return report.finish(pairs)
		}
		if err != nil {
			return nil, report, err
		}
		report.Lines++
		source, target, err := parse(line)
		if err != nil {
			return nil, report, fmt.Errorf("%s:%d: %w", l.path, l.Number(), err)
		}
		report.keep(pairs, source, target, l.Number())
	}
}

// Split parts the pairs into training and held-out ones, about n of the latter (n, or a few more where the last source
// sentence chosen has several translations). All pairs of one source sentence go to the same side, so that nothing held
// out is known from training. The choice depends on the seed and on each source sentence's own text, not on the order of
// the pairs; both sides keep that order.
func (p *Pairs) Split(seed uint64, n int) (train, held *Pairs, err error) {
	type group struct {
		key    uint64
		source string
		pairs  int
	}
	at := make(map[string]int, p.Len())
	var groups []group
	for _, source := range p.Source {
		i, known := at[source]
		if !known {
			i = len(groups)
			at[source] = i
			groups = append(groups, group{key: sentenceKey(seed, source), source: source})
		}
		groups[i].pairs++
	}
	slices.SortFunc(groups, func(a, b group) int {
		if a.key != b.key {
			if a.key < b.key {
				return -1
			}
			return 1
		}
		return strings.Compare(a.source, b.source)
	})
	chosen, total := map[string]bool{}, 0
	for _, g := range groups {
		if total >= n {
			break
		}
		chosen[g.source] = true
		total += g.pairs
	}
	if total == p.Len() && total > 0 || n < 0 {
		return nil, nil, fmt.Errorf("cannot hold out %d of %d pairs (%d different source sentences): nothing is left to train on", n, p.Len(), len(groups))
	}
	train, held = &Pairs{}, &Pairs{}
	for i, source := range p.Source {
		side := train
		if chosen[source] {
			side = held
		}
		side.add(source, p.Target[i], int(p.Line[i]))
	}
	return train, held, nil
}

// sentenceKey hashes a sentence under a seed: FNV-1a, then SplitMix64's finaliser (Steele et al. 2014) to spread it.
func sentenceKey(seed uint64, s string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, s)
	x := h.Sum64() ^ mix(seed+0x9e3779b97f4a7c15)
	return mix(x)
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
