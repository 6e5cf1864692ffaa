package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// TiktokenOptions says what a file of ranks leaves open.
type TiktokenOptions struct {
	// Pattern is the regular expression that cuts text into words; "" is GPT-2's.
	Pattern string
	// Special tokens by their names; ids that ranks leave free, usually those after them.
	Special map[string]int32
}

// LoadTiktoken reads a rank file of tiktoken, which may be gzipped; see [ParseTiktoken].
func LoadTiktoken(path string, o TiktokenOptions) (*Tokenizer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer: %w", err)
	}
	t, err := ParseTiktoken(data, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// maxRanks bounds the size of an unzipped rank file, in bytes; the largest that is
// published has four million.
const maxRanks = 256 << 20

// ParseTiktoken reads the content of a rank file: a line for each token, its bytes in
// base64 and its rank, which is its id. The merge that makes a token is of the two parts
// that are left when its bytes are merged by lower ranks.
func ParseTiktoken(data []byte, o TiktokenOptions) (*Tokenizer, error) {
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		var err error
		if data, err = unzipRanks(data); err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
	}
	ranks, err := readRanks(data)
	if err != nil {
		return nil, err
	}
	f, err := ranks.file(o)
	if err != nil {
		return nil, err
	}
	return f.tokenizer()
}

func unzipRanks(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	data, err = io.ReadAll(io.LimitReader(r, maxRanks+1))
	if err == nil && len(data) > maxRanks {
		err = fmt.Errorf("holds more than the %d bytes that such a file may have", maxRanks)
	}
	return data, err
}

// rankedTokens are tokens, as bytes, in the order of their ranks.
type rankedTokens struct {
	tokens []rankedToken
	ranks  map[string]int32
}

type rankedToken struct {
	bytes string
	rank  int32
}

// longestRanked is the longest token whose merge is looked for, in bytes; the work grows
// with its square.
const longestRanked = 1024

func readRanks(data []byte) (*rankedTokens, error) {
	r := &rankedTokens{ranks: map[string]int32{}}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		code, digits, found := bytes.Cut(line, []byte(" "))
		token, err := base64.StdEncoding.DecodeString(string(code))
		if err != nil || !found || len(token) == 0 {
			return nil, fmt.Errorf("line %d: %.40q is not a token in base64 and a rank", number, line)
		}
		rank, err := strconv.ParseInt(string(digits), 10, 32)
		if err != nil || rank < 0 {
			return nil, fmt.Errorf("line %d: the rank is %.20q", number, digits)
		}
		if len(token) > longestRanked {
			return nil, fmt.Errorf("line %d: a token of %d bytes; the longest that is supported has %d", number, len(token), longestRanked)
		}
		if _, ok := r.ranks[string(token)]; ok {
			return nil, fmt.Errorf("line %d: the token %q comes a second time", number, token)
		}
		r.ranks[string(token)] = int32(rank)
		r.tokens = append(r.tokens, rankedToken{string(token), int32(rank)})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(r.tokens) == 0 {
		return nil, errors.New("there is no token in it")
	}
	slices.SortFunc(r.tokens, func(a, b rankedToken) int { return int(a.rank) - int(b.rank) })
	return r, nil
}

// parts returns the two parts that make a token, if it can be made of two.
func (r *rankedTokens) parts(t rankedToken) (left, right string, ok bool) {
	ends := make([]int, 0, len(t.bytes))
	for i := range len(t.bytes) {
		ends = append(ends, i+1)
	}
	for len(ends) > 2 {
		at, best := -1, t.rank
		begin := 0
		for i := 0; i+1 < len(ends); i++ {
			if rank, ok := r.ranks[t.bytes[begin:ends[i+1]]]; ok && rank < best {
				at, best = i, rank
			}
			begin = ends[i]
		}
		if at < 0 {
			return "", "", false
		}
		ends = slices.Delete(ends, at, at+1)
	}
	if len(ends) < 2 {
		return "", "", false
	}
	return t.bytes[:ends[0]], t.bytes[ends[0]:], true
}

// file describes the tokenizer as tokenizer.json does.
func (r *rankedTokens) file(o TiktokenOptions) (*file, error) {
	f := &file{
		Decoder: jsontext.Value(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`),
		bpe:     &bpeFile{Type: "BPE", IgnoreMerges: true},
	}
	for _, t := range r.tokens {
		f.bpe.Vocab = append(f.bpe.Vocab, vocabEntry{spell(t.bytes), t.rank})
		if left, right, ok := r.parts(t); ok {
			f.bpe.Merges = append(f.bpe.Merges, mergePair{spell(left), spell(right)})
		}
	}
	for content, id := range o.Special {
		f.AddedTokens = append(f.AddedTokens, addedFile{ID: id, Content: content, Special: true})
	}
	slices.SortFunc(f.AddedTokens, func(a, b addedFile) int { return int(a.ID) - int(b.ID) })
	pattern := o.Pattern
	if pattern == "" {
		pattern = gpt2Regex
	}
	quoted, err := json.Marshal(pattern)
	if err != nil {
		return nil, fmt.Errorf("the pattern: %w", err)
	}
	f.PreTokenizer = jsontext.Value(`{"type":"Sequence","pretokenizers":[` +
		`{"type":"Split","pattern":{"Regex":` + string(quoted) + `},"behavior":"Isolated","invert":false},` +
		`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}`)
	return f, nil
}
