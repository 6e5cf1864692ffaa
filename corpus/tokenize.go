package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// batchBytes is about how much text one goroutine encodes at a time.
const batchBytes = 1 << 18

// encodingBatch is some successive documents and their ids; done is closed when these are there.
type encodingBatch struct {
	documents []side
	held      []bool
	ids       []int32
	ends      []int // of each document's in ids
	done      chan struct{}
}

// build makes the store that an index describes, and completes the index. Whoever has the old files open may go on reading
// them: they are removed, not written over.
func (t *Texts) build(ctx context.Context, dir string, e Encoding, index *storeIndex) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := clearStore(dir); err != nil {
		return err
	}
	w := &storeWriter{index: index, begin: []int32{e.Begin}}
	for n, name := range []string{"train", "validation"} {
		w.streams[n] = &streamWriter{dir: dir, name: name, width: index.Width}
	}
	err := t.encode(ctx, e, index.Split, w.add)
	for _, s := range w.streams {
		if err == nil && s.ids > 0 {
			err = s.write(w.begin)
		}
		err = errors.Join(err, s.finish())
	}
	if err != nil {
		return errors.Join(err, clearStore(dir))
	}
	index.Train, index.Validation = w.streams[0].ids, w.streams[1].ids
	if index.Train == 0 {
		return fmt.Errorf("%s: there is no text to train on", t.Files[0])
	}
	text, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	return writeLast(filepath.Join(dir, indexFile), text)
}

// clearStore removes what belongs to a store, the index first.
func clearStore(dir string) error {
	if err := os.Remove(filepath.Join(dir, indexFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	shards, err := filepath.Glob(filepath.Join(escapePattern(dir), "*.tokens"))
	for _, path := range shards {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// escapePattern makes a path match itself alone.
func escapePattern(path string) string {
	var b []rune
	for _, r := range path {
		if (r == '*' || r == '?' || r == '[') && os.PathSeparator != '\\' {
			b = append(b, '\\')
		}
		b = append(b, r)
	}
	return string(b)
}

// writeLast makes a file whole or not at all.
func writeLast(path string, text []byte) error {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// encode reads all documents and hands them to add with their ids, in order, while others are being encoded. What waits is
// bounded by the number of threads.
func (t *Texts) encode(ctx context.Context, e Encoding, split Split, add func(*encodingBatch) error) error {
	threads := e.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	work, inOrder := make(chan *encodingBatch, threads), make(chan *encodingBatch, 2*threads)
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range threads {
		workers.Go(func() {
			for b := range work {
				b.encode(e)
			}
		})
	}
	workers.Go(func() {
		defer close(work)
		defer close(inOrder)
		t.batches(split, func(b *encodingBatch) bool {
			select {
			case <-stop:
				return false
			case inOrder <- b:
			}
			work <- b
			return true
		})
	})
	var failed error
	for b := range inOrder {
		<-b.done
		if failed != nil {
			continue
		}
		if failed = errors.Join(ctx.Err(), add(b)); failed != nil {
			close(stop)
		}
	}
	workers.Wait()
	return failed
}

// batches puts documents into batches until yield wants no more.
func (t *Texts) batches(split Split, yield func(*encodingBatch) bool) {
	b, bytes := &encodingBatch{done: make(chan struct{})}, 0
	for d, held := range t.sides(split) {
		b.documents, b.held = append(b.documents, d), append(b.held, held)
		if bytes += len(d.Text); bytes >= batchBytes {
			if !yield(b) {
				return
			}
			b, bytes = &encodingBatch{done: make(chan struct{})}, 0
		}
	}
	if len(b.documents) > 0 {
		yield(b)
	}
}

func (b *encodingBatch) encode(e Encoding) {
	for _, d := range b.documents {
		if d.err == nil {
			b.ids = e.Append(b.ids, d.Text)
		}
		b.ends = append(b.ends, len(b.ids))
	}
	close(b.done)
}

// storeWriter sends documents to their streams.
type storeWriter struct {
	index   *storeIndex
	streams [2]*streamWriter // training and validation
	begin   []int32
}

func (w *storeWriter) add(b *encodingBatch) error {
	from := 0
	for i, d := range b.documents {
		if d.err != nil {
			return d.err
		}
		stream := w.streams[0]
		if b.held[i] {
			stream = w.streams[1]
		}
		if !d.Continues {
			if err := stream.write(w.begin); err != nil {
				return err
			}
			w.index.Documents++
			if b.held[i] {
				w.index.HeldOut++
			}
		}
		if err := stream.write(b.ids[from:b.ends[i]]); err != nil {
			return err
		}
		from = b.ends[i]
	}
	return nil
}
