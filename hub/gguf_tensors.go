package hub

import (
	"strings"

	"github.com/parley-lm/parley/model"
)

// ggufNames are the names of llama.cpp for tensors outside of the layers, and, after their layer's, inside.
var (
	ggufOuterNames = map[string]string{
		"transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
		"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
	}
	ggufLayerNames = map[string]string{
		"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
		"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
		"self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
		"post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
	}
)

// ggufName is the name in a GGUF file of a parameter; "" for one that has none.
func ggufName(parameter string) string {
	dot := strings.LastIndexByte(parameter, '.')
	if dot < 0 {
		return ""
	}
	name, kind := parameter[:dot], parameter[dot:]
	if outer, ok := ggufOuterNames[name]; ok {
		return outer + kind
	}
	for _, layers := range []string{"transformer.h.", "model.layers."} {
		if rest, ok := strings.CutPrefix(name, layers); ok {
			number, inner, _ := strings.Cut(rest, ".")
			if inner, ok := ggufLayerNames[inner]; ok {
				return "blk." + number + "." + inner + kind
			}
		}
	}
	return ""
}

// interleavedHeads is how many heads the rows of a parameter belong to, if llama.cpp has them in another order: its llama
// turns neighbouring rows of a head together, transformers rows that are half a head apart. 0: the order is the same.
func interleavedHeads(c model.DecoderConfig, parameter string) int {
	if ggufArchitecture(c) != "llama" {
		return 0
	}
	switch {
	case strings.Contains(parameter, ".self_attn.q_proj."):
		return c.Heads
	case strings.Contains(parameter, ".self_attn.k_proj."):
		return c.KVHeads
	}
	return 0
}

// interleave brings the rows of heads, each of width numbers, from the order of transformers to that of llama.cpp. dst and
// src may not overlap.
func interleave(dst, src []float32, heads, width int) {
	eachPair(len(src)/width, heads, func(apart, together int) {
		copy(dst[together*width:(together+1)*width], src[apart*width:(apart+1)*width])
	})
}

// separate undoes interleave.
func separate(dst, src []float32, heads, width int) {
	eachPair(len(src)/width, heads, func(apart, together int) {
		copy(dst[apart*width:(apart+1)*width], src[together*width:(together+1)*width])
	})
}

// eachPair tells where every row of heads is in the order of transformers, and where in that of llama.cpp.
func eachPair(rows, heads int, do func(apart, together int)) {
	size := rows / heads
	for row := range rows {
		head, at := row/size, row%size
		do(row, head*size+at%(size/2)*2+at/(size/2))
	}
}
