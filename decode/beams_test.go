package decode_test

import (
	"math"
	"slices"
	"testing"

	"github.com/parley-lm/parley/decode"
)

// TestBeamSearchWithProcessorsEqualsTransformers compares with generate() of transformers 5.24, four beams of at most twelve tokens,
// which gives the same in float64.
func TestBeamSearchWithProcessorsEqualsTransformers(t *testing.T) {
	m, _ := loadDecoder(t, "llama-train")
	type hypothesis struct {
		ids   []int32
		score float64
	}
	long := []int32{81, 81, 81, 87, 45, 71, 81, 58}
	and := func(more ...int32) []int32 { return slices.Concat(long, more) }
	for name, c := range map[string]struct {
		length float64
		change func(s *decode.Sampling)
		want   []hypothesis
	}{
		"nothing": {1, func(*decode.Sampling) {}, []hypothesis{
			{[]int32{81, 81, 81, 81, 17}, -1.931207}, {[]int32{81, 81, 81, 17}, -1.951395}, {and(81, 87, 86, 44), -1.971198}, {and(81, 87, 86, 58), -2.004674},
		}},
		"repetition penalty": {1, func(s *decode.Sampling) { s.RepetitionPenalty = 1.4 }, []hypothesis{
			{[]int32{81, 81, 17}, -2.232382}, {and(88, 10, 17), -2.243428}, {and(88, 10, 58, 84), -2.262608}, {and(88, 10, 58, 54), -2.266412},
		}},
		"no pair twice": {1, func(s *decode.Sampling) { s.RepetitionPenalty, s.NoRepeatNGram = 0.8, 2 }, []hypothesis{
			{[]int32{81, 81, 17}, -1.910582}, {[]int32{81, 81, 87, 45, 45, 71, 81, 58, 81, 17}, -1.970651},
			{[]int32{81, 81, 87, 45, 45, 71, 81, 17}, -1.973276}, {[]int32{81, 81, 87, 45, 71, 81, 58, 81, 17}, -2.001754},
		}},
		"no token twice, some never": {1, func(s *decode.Sampling) { s.NoRepeatNGram, s.Suppress = 1, []int32{3, 50, 60} }, []hypothesis{
			{[]int32{81, 17}, -2.292571}, {[]int32{81, 87, 24, 88, 65, 31, 15, 17}, -2.297700}, {[]int32{81, 87, 24, 88, 65, 17}, -2.372615}, {[]int32{81, 54, 88, 17}, -2.372896},
		}},
		"bias, and a minimum": {1, func(s *decode.Sampling) {
			s.Bias, s.MinTokens = []decode.Bias{{Tokens: []int32{7}, Add: 3}, {Tokens: []int32{5, 40}, Add: -4}}, 4
		}, []hypothesis{{slices.Repeat([]int32{7}, 12), -1.108554}}},
		"short ones": {0.3, func(s *decode.Sampling) { s.RepetitionPenalty = 1.3 }, []hypothesis{
			{[]int32{17}, -2.555399}, {[]int32{81, 17}, -3.724293}, {[]int32{81, 81, 17}, -4.701018}, {[]int32{81, 81, 81, 17}, -5.820737},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			search := func(r *decode.Request) {
				r.Beams, r.Answers, r.MaxTokens, r.LengthPenalty, r.Ends = 4, 4, 12, c.length, []int32{2, 17}
				c.change(&r.Sampling)
			}
			alone, other := ask([]int32{5, 9, 5, 40, 9, 5, 40}, search), ask([]int32{3, 4, 3, 4}, search)
			beside := ask(alone.Prompt, search)
			answer(t, generator(t, m, 2, decode.GeneratorOptions{}), 0, alone)
			answer(t, generator(t, m, 1, decode.GeneratorOptions{}), 1, other, beside)
			for i, want := range c.want {
				last := alone.answers[i][len(alone.answers[i])-1]
				if !slices.Equal(alone.ids(i), want.ids) || math.Abs(last.Score-want.score) > 1e-4 {
					t.Errorf("hypothesis %d is %v with score %f, want %v with %f", i, alone.ids(i), last.Score, want.ids, want.score)
				}
				if !slices.Equal(alone.ids(i), beside.ids(i)) || last.Score != beside.answers[i][len(beside.answers[i])-1].Score {
					t.Errorf("hypothesis %d has other bits in company", i)
				}
			}
		})
	}
}
