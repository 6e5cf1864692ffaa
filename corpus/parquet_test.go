package corpus

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The files in testdata were written by github.com/parquet-go/parquet-go v0.32.0 in two row groups each; those of the delta
// encodings, and the one without rows, by pyarrow 26.
func TestParquetIsReadAsItWasWritten(t *testing.T) {
	var plain, dictionary []string
	for i := range 40 {
		plain = append(plain, fmt.Sprintf("document %d %s", i, strings.Repeat("é", i%7)))
		if i%3 != 0 { // else null
			dictionary = append(dictionary, fmt.Sprintf("document %d", i%11))
		}
	}
	for _, c := range []struct {
		file string
		want []string
	}{
		{"plain-snappy", plain}, {"plain-gzip-v2", plain}, {"dictionary-zstd", dictionary}, {"dictionary-v2", dictionary},
		{"lz4", plain}, {"delta-lengths-brotli", plain}, {"delta-strings-lz4", dictionary}, {"empty", nil},
	} {
		got, err := all(Texts{Files: []string{filepath.Join("testdata", c.file+".parquet")}})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d documents, want %d; %v\n%q", c.file, len(got), len(c.want), err, got)
		}
	}
}

func TestParquetThatCannotBeReadSaysWhy(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", "plain-snappy.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	long := slices.Clone(whole)
	binary.LittleEndian.PutUint32(long[len(long)-8:], 1<<31)
	for _, c := range []struct {
		name, file, field, want string
		data                    []byte
	}{
		{name: "another column", file: "plain-snappy", field: "body", want: `no column is called "body" (data.field names that of the text); there are ["id" "text"]`},
		{name: "numbers", file: "plain-snappy", field: "id", want: `column "id" holds no text`},
		{name: "a nested column", file: "dictionary-v2", field: "meta", want: `column "meta" holds no text`},
		{name: "a list", file: "dictionary-v2", field: "n", want: `column "n" holds no text`},
		{name: "no Parquet", data: []byte("some text that is longer"), want: "not a Parquet file"},
		{name: "nothing", data: nil, want: "too short"},
		{name: "the beginning alone", data: whole[:200], want: "not a Parquet file"},
		{name: "a footer that lies", data: long, want: "a footer of 2147483648 bytes"},
	} {
		path := filepath.Join("testdata", c.file+".parquet")
		if c.file == "" {
			path = write(t, "x.parquet", string(c.data))
		}
		_, err := all(Texts{Files: []string{path}, Field: c.field})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestCodecsThatAreLackingAreNamed(t *testing.T) {
	for codec, want := range map[int64]string{3: "LZO", 5: "LZ4", 9: "codec 9"} {
		p := &parquetFile{field: "text", size: 100, chunks: []parquetChunk{{codec: codec, first: 4, bytes: 9, values: 1}}}
		err := p.check(&schemaWalk{found: &schemaElement{kind: parquetByteArray}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "supported: none, Snappy") {
			t.Errorf("codec %d: %v", codec, err)
		}
	}
}

func TestEveryCutAndChangedByteOfParquetIsBounded(t *testing.T) {
	for _, file := range []string{"plain-snappy", "dictionary-zstd", "delta-lengths-brotli", "delta-strings-lz4"} {
		whole, err := os.ReadFile(filepath.Join("testdata", file+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		for at := range whole {
			for _, change := range []byte{0xff, 0x7f, 0x01} {
				data := slices.Clone(whole)
				data[at] ^= change
				readHostile(t, data)
			}
		}
	}
}

// readHostile reads a file that may be anything, and does not let it take memory.
func readHostile(t *testing.T, data []byte) {
	t.Helper()
	p := &parquetFile{r: strings.NewReader(string(data)), size: int64(len(data)), field: "text"}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	documents := 0
	p.read(func(text []byte, row int64) error {
		if documents++; documents > 100_000 {
			return errEnough
		}
		return nil
	})
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20+uint64(len(data))*1000 {
		t.Errorf("a file of %d bytes took %d", len(data), took)
	}
}

func FuzzParquet(f *testing.F) {
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(readHostile)
}

func TestPackedAndRepeatedNumbersAreRead(t *testing.T) {
	// From the format's description: eight packed numbers of 3 bits, 0 to 7, and a run of one.
	r := hybrid{data: []byte{1<<1 | 1, 0b10001000, 0b11000110, 0b11111010, 5 << 1, 6}, width: 3}
	var got []uint64
	for {
		x, err := r.next()
		if err != nil {
			break
		}
		got = append(got, x)
	}
	if want := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 6, 6, 6, 6, 6}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
