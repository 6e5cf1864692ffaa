package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The first bytes of compressed files: RFC 1952 and RFC 8878.
var gzipMagic, zstdMagic = []byte{0x1f, 0x8b}, []byte{0x28, 0xb5, 0x2f, 0xfd}

// mostWindow is how far back a Zstandard file may refer, which is the memory that reading it takes. It is what the tool
// zstd accepts unless it is told otherwise.
const mostWindow = 128 << 20

// decompressed returns what a stream holds: itself, or its contents where its first bytes are those of gzip or Zstandard.
func decompressed(r io.Reader) (*bufio.Reader, error) {
	const size = 1 << 16
	b := bufio.NewReaderSize(r, size)
	start, _ := b.Peek(4)
	switch {
	case bytes.HasPrefix(start, gzipMagic):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(z, size), nil
	case bytes.HasPrefix(start, zstdMagic): // a decoder of concurrency 1 has no goroutines to be ended
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(mostWindow))
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(z, size), nil
	}
	return b, nil
}
