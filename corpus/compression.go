package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The first bytes of compressed files: RFC 1952 and RFC 8878.
var gzipMagic, zstdMagic = []byte{0x1f, 0x8b}, []byte{0x28, 0xb5, 0x2f, 0xfd}

// mostWindow is how far back a Zstandard file may refer, which is the memory that reading it takes. It is what the tool
// zstd accepts unless it is told otherwise.
const mostWindow = 128 << 20

// mostPageWindow is the same for pages of Parquet, of which a file may have many: what RFC 8878 recommends to support.
const mostPageWindow = 8 << 20

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

// Codecs of Parquet's pages.
const (
	noCodec, snappyCodec, gzipCodec, brotliCodec, zstdCodec, lz4Codec = 0, 1, 2, 4, 6, 7
)

var pageCodecs = []int64{noCodec, snappyCodec, gzipCodec, brotliCodec, zstdCodec, lz4Codec}

// uncompressed returns the contents of a page of Parquet, which must be of the given size. A false size costs nothing:
// Snappy and LZ4 cannot shrink by more than a factor, and of the others no more is read than there is.
func uncompressed(data []byte, codec, size int64) ([]byte, error) {
	if size < 0 {
		return nil, fmt.Errorf("damaged: a page of %d bytes that is to become %d", len(data), size)
	}
	var r io.Reader
	var err error
	switch codec {
	case noCodec:
		return data, nil
	case snappyCodec:
		n, err := snappy.DecodedLen(data)
		if err != nil || int64(n) != size || n > 64*len(data)+64 {
			return nil, fmt.Errorf("damaged: a Snappy page of %d bytes that is to become %d", len(data), size)
		}
		return snappy.Decode(nil, data)
	case lz4Codec:
		whole := make([]byte, min(size, 255*int64(len(data))))
		n, err := lz4.UncompressBlock(data, whole)
		if err != nil || int64(n) != size {
			return nil, fmt.Errorf("damaged: an LZ4 page of %d bytes that is to become %d", len(data), size)
		}
		return whole, nil
	case brotliCodec:
		r = brotli.NewReader(bytes.NewReader(data))
	case gzipCodec:
		r, err = gzip.NewReader(bytes.NewReader(data))
	default:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(mostPageWindow)); err == nil {
			defer z.Close()
			r = z
		}
	}
	if err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(io.LimitReader(r, size+1))
	if err == nil && int64(len(whole)) != size {
		err = fmt.Errorf("damaged: a page is not of %d bytes uncompressed", size)
	}
	return whole, err
}
