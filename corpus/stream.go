package corpus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/parley-lm/parley/internal/mmap"
)

// Stream is a sequence of token ids on disk, mapped into memory where that is possible: what is not being read takes none.
// It may be read by many goroutines at once.
type Stream struct {
	shards   []shard
	width    int   // bytes of an id
	from, to int64 // the part of the shards' ids that it shows
}

// shard is a file of ids.
type shard struct {
	file  *os.File
	data  []byte // nil where files cannot be mapped
	unmap func() error
	first int64 // of the ids in all shards
	ids   int64
}

// shardIDs is how many ids a file holds; the last one may hold fewer.
const shardIDs = 1 << 27

func shardName(stream string, number int) string {
	return fmt.Sprintf("%s-%05d.tokens", stream, number)
}

// openStream opens the files of a stream, which must hold so many ids.
func openStream(dir, name string, ids int64, width int) (*Stream, error) {
	s := &Stream{width: width, to: ids}
	for first := int64(0); first < ids; first += shardIDs {
		n := min(shardIDs, ids-first)
		path := filepath.Join(dir, shardName(name, len(s.shards)))
		f, err := os.Open(path)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		one := shard{file: f, first: first, ids: n}
		if stat, err := f.Stat(); err != nil || stat.Size() != n*int64(width) {
			return nil, errors.Join(fmt.Errorf("%s: damaged: must have %d bytes", path, n*int64(width)), err, f.Close(), s.close())
		}
		one.data, one.unmap = mmap.Map(f, n*int64(width))
		s.shards = append(s.shards, one)
	}
	return s, nil
}

func (s *Stream) close() error {
	var errs []error
	for _, one := range s.shards {
		if one.unmap != nil {
			errs = append(errs, one.unmap())
		}
		errs = append(errs, one.file.Close())
	}
	return errors.Join(errs...)
}

// Len returns the number of ids.
func (s *Stream) Len() int64 { return s.to - s.from }

// part returns a stretch of the stream.
func (s *Stream) part(from, to int64) *Stream {
	view := *s
	view.from, view.to = s.from+from, s.from+to
	return &view
}

// Read appends the ids from position from up to, but not including, position to. Nothing else is allocated where files are
// mapped.
func (s *Stream) Read(dst []int32, from, to int64) ([]int32, error) {
	if from < 0 || to < from || to > s.Len() {
		panic(fmt.Sprintf("corpus: ids %d to %d of a stream of %d", from, to, s.Len()))
	}
	from, to = s.from+from, s.from+to
	for from < to {
		one := &s.shards[from/shardIDs]
		n := min(to, one.first+one.ids) - from
		at := (from - one.first) * int64(s.width)
		data := one.data
		if data != nil {
			data = data[at : at+n*int64(s.width)]
		} else {
			data = make([]byte, n*int64(s.width))
			if _, err := one.file.ReadAt(data, at); err != nil {
				return dst, fmt.Errorf("%s: %w", one.file.Name(), err)
			}
		}
		dst = appendIDs(dst, data, s.width)
		from += n
	}
	return dst, nil
}

// appendIDs reads ids of two or four bytes, the lowest first.
func appendIDs(dst []int32, data []byte, width int) []int32 {
	if width == 2 {
		for i := 0; i < len(data); i += 2 {
			dst = append(dst, int32(binary.LittleEndian.Uint16(data[i:])))
		}
		return dst
	}
	for i := 0; i < len(data); i += 4 {
		dst = append(dst, int32(binary.LittleEndian.Uint32(data[i:])))
	}
	return dst
}

// streamWriter writes a stream's files.
type streamWriter struct {
	dir, name string
	width     int
	ids       int64
	file      *os.File
	out       *bufio.Writer
	number    int
}

func (w *streamWriter) write(ids []int32) error {
	for len(ids) > 0 {
		if w.ids%shardIDs == 0 {
			if err := w.next(); err != nil {
				return err
			}
		}
		n := min(int64(len(ids)), shardIDs-w.ids%shardIDs)
		for _, id := range ids[:n] {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], uint32(id))
			if _, err := w.out.Write(b[:w.width]); err != nil {
				return err
			}
		}
		w.ids += n
		ids = ids[n:]
	}
	return nil
}

// next begins another file.
func (w *streamWriter) next() error {
	if err := w.finish(); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(w.dir, shardName(w.name, w.number)))
	if err != nil {
		return err
	}
	w.file, w.number = f, w.number+1
	if w.out == nil {
		w.out = bufio.NewWriterSize(f, 1<<18)
	} else {
		w.out.Reset(f)
	}
	return nil
}

// finish makes sure that the last file is on the disk.
func (w *streamWriter) finish() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return errors.Join(w.out.Flush(), f.Sync(), f.Close())
}
