package inspect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/parley-lm/parley/internal/kernel"
)

// observer asks for the probabilities of every attention of a pass over one pair.
type observer struct {
	pool  *kernel.Pool
	heads []Head
}

// Attention notes the weights of all heads of an attention; it makes observer a [grad.Observer].
func (o *observer) Attention(name string, q, k kernel.Mat, spans []kernel.AttnSpan, s kernel.AttnShape) {
	kind, layer := place(name)
	o.heads = append(o.heads, headsOf(o.pool, kind, layer, q, k, spans[0], s)...)
}

// headsOf works out the weights of all heads of an attention within one span.
func headsOf(pool *kernel.Pool, kind Kind, layer int, q, k kernel.Mat, span kernel.AttnSpan, s kernel.AttnShape) []Head {
	queries, keys := int(span.Q1-span.Q0), int(span.K1-span.K0)
	heads := make([]Head, s.Heads)
	for head := range heads {
		all := make([]float32, queries*keys)
		pool.AttentionProbs(all, q, k, span, head, s)
		heads[head] = Head{Kind: kind, Layer: layer, Head: head + 1, Weights: slices.Collect(slices.Chunk(all, keys))}
		heads[head].Looks = looks(heads[head])
	}
	return heads
}

// Output is not looked at.
func (o *observer) Output(string, kernel.Mat) {}

// place reads kind and layer from a name as checkpoints have it: model.decoder.layers.0.encoder_attn.
func place(name string) (Kind, int) {
	parts := strings.Split(name, ".")
	if len(parts) != 5 {
		panic("inspect: attention of an unknown name: " + name)
	}
	layer, err := strconv.Atoi(parts[3])
	if err != nil {
		panic("inspect: attention of an unknown name: " + name)
	}
	switch {
	case parts[4] == "encoder_attn":
		return Cross, layer + 1
	case parts[1] == "decoder":
		return Decoder, layer + 1
	}
	return Encoder, layer + 1
}

// looks describes a head by the place that gets most of its weight, if that is at least half; otherwise by its largest
// weights. Rows that can see one key only say nothing and are left out.
func looks(h Head) Looks {
	type candidate struct {
		at  string
		key func(row, keys int) int
	}
	candidates := []candidate{{"end", func(_, keys int) int { return keys - 1 }}}
	switch h.Kind {
	case Encoder:
		candidates = append(candidates, candidate{"next", func(row, _ int) int { return row + 1 }})
		fallthrough
	case Decoder:
		candidates = append(candidates,
			candidate{"itself", func(row, _ int) int { return row }},
			candidate{"previous", func(row, _ int) int { return row - 1 }},
			candidate{"first", func(_, _ int) int { return 0 }})
	}
	if h.Kind == Decoder {
		candidates = candidates[1:] // the end is not among its inputs
	}
	best := Looks{}
	for _, c := range candidates {
		sum, rows := 0.0, 0
		for i, row := range h.Weights {
			key := c.key(i, len(row))
			if len(row) == 1 || h.Kind == Decoder && i == 0 || key < 0 || key >= len(row) {
				continue
			}
			sum += float64(row[key])
			rows++
		}
		if share := sum / float64(max(1, rows)); share > best.Share {
			best = Looks{c.at, share}
		}
	}
	if best.Share >= 0.5 {
		return best
	}
	peak := 0.0
	for _, row := range h.Weights {
		peak += float64(slices.Max(row)) / float64(len(h.Weights))
	}
	if peak >= 0.5 {
		return Looks{"one", peak}
	}
	return Looks{"spread", peak}
}
