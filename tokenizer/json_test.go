package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	for _, name := range shippedNames {
		data := local(t, name+".json")
		tok, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tok.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(data) {
			t.Errorf("%s is written as\n%.300s, read as\n%.300s", name, got, data)
		}
	}
}

// TestRefusesWhatItLacks changes one thing in a good file at a time.
func TestRefusesWhatItLacks(t *testing.T) {
	good := string(local(t, "spaces.json"))
	for _, c := range []struct{ old, new, want string }{
		{`"normalizer":null`, `"normalizer":{"type":"Unheard"}`, `normalizer: type "Unheard"`},
		{`"normalizer":null`, `"normalizer":{"type":"NFC","form":2}`, `normalizer: NFC: form`},
		{`"normalizer":null`, `"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"ByteLevel"}]}`, `normalizer: Sequence[1]: type "ByteLevel"`},
		{`"normalizer":null`, `"normalizer":{"type":"Replace","pattern":{"Regex":"("},"content":""}`, `normalizer: Replace: the regular expression "("`},
		{`"normalizer":null`, `"normalizer":{"type":"Replace","pattern":{"String":""},"content":""}`, `normalizer: Replace: pattern`},
		{`"normalizer":null`, `"normalizer":{"type":"Replace","pattern":{},"content":""}`, `normalizer: Replace: pattern`},
		{`"normalizer":null`, `"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}`, `normalizer: Precompiled: precompiled_charsmap`},
		{`"normalizer":null`, `"normalizer":{"type":"Precompiled","precompiled_charsmap":"AA=="}`, `normalizer: Precompiled: precompiled_charsmap`},
		{`"version":"1.0"`, `"version":"2.0"`, `version`},
		{`"type":"BPE"`, `"type":"WordLevel"`, `model.type "WordLevel"`},
		{`"type":"BPE"`, `"type":"Unigram"`, `ByteLevel with the model.type "Unigram"`},
		{`"dropout":null`, `"dropout":0.1`, `model.dropout`},
		{`"continuing_subword_prefix":null`, `"continuing_subword_prefix":"##"`, `model.continuing_subword_prefix`},
		{`"end_of_word_suffix":null`, `"end_of_word_suffix":"</w>"`, `model.end_of_word_suffix`},
		{`"ignore_merges":false`, `"novelty":1`, `model.novelty`},
		{`"unk_token":null`, `"unk_token":"<none>"`, `model.unk_token: "<none>"`},
		{`"id":0,"content":"</s>"`, `"id":2000000000,"content":"</s>"`, `out of range`},
		{`"id":0,"content":"</s>"`, `"id":-1,"content":"</s>"`, `out of range`},
		{`"id":0,"content":"</s>"`, `"id":0,"content":""`, `empty`},
		{`"id":0,"content":"</s>"`, `"id":1,"content":"</s>"`, `added_tokens[0]`},
		{`"!":2`, `"!":3`, `model.vocab: id 3`},
		{`"!":2`, `"!":2.5`, `model.vocab`},
		{`"!":2`, `"!":99999999999`, `model.vocab`},
		{`"merges":[[`, `"merges":[["no","pe"],[`, `model.merges[0]`},
		{`"merges":[[`, `"merges":["a b c",[`, `model.merges`},
		{`"merges":[[`, `"merges":[["a"],[`, `model.merges`},
		{`"merges":[[`, `"merges":[["a","b","c"],[`, `model.merges`},
		{`"merges":[[`, `"merges":[7,[`, `model.merges`},
		{`"vocab":{`, `"vocab":7,"was":{`, `model.vocab`},
		{` ?\\S+|\\s+`, `(`, `pre_tokenizer: Sequence[0]: Split: pattern`},
		{`"Isolated"`, `"Doubled"`, `pre_tokenizer: Sequence[0]: Split: behavior "Doubled"`},
		{`{"type":"Split"`, `{"type":"UnicodeScripts"`, `pre_tokenizer: Sequence[0]: type "UnicodeScripts"`},
		{`"pretokenizers":[`, `"pretokenizers":[{"type":"ByteLevel"},`, `pre_tokenizer: Sequence[1]: Split after ByteLevel`},
		{`"pretokenizers":[`, `"pretokenizers":[{"type":"Metaspace","replacement":"ab"},`, `pre_tokenizer: Sequence[0]: Metaspace: replacement`},
		{`"pretokenizers":[`, `"pretokenizers":[{"type":"Metaspace","replacement":"_","prepend_scheme":"last"},`, `prepend_scheme "last"`},
		{`"pretokenizers":[`, `"pretokenizers":[{"type":"Metaspace","replacement":"_","prepend_scheme":"first","add_prefix_space":false},`, `add_prefix_space is false`},
		{`"type":"TemplateProcessing"`, `"type":"Novelty"`, `post_processor: type "Novelty"`},
		{`"type":"TemplateProcessing"`, `"type":"BertProcessing"`, `post_processor: BertProcessing: single`},
		{`"single":[`, `"single":[{"Sequence":{"id":"A","type_id":0}},`, `exactly once`},
		{`"single":[`, `"single":[{"SpecialToken":{"id":"<s>","type_id":0}},`, `"<s>" is not in special_tokens`},
		{`"single":[`, `"single":[{},`, `single[0]`},
		{`"ids":[0]`, `"ids":[777777]`, `777777`},
		{`"decoder":{"type":"ByteLevel"`, `"decoder":{"type":"CTC"`, `decoder: type "CTC"`},
		{`"decoder":{"type":"ByteLevel"`, `"decoder":{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"ByteFallback"}]},"x":{"type":"ByteLevel"`, `x`},
		{`"decoder":{`, `"decoder":null,"stray":{`, `stray`},
		{good[len(good)/2:], ``, `not a readable`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%s is not in the file", c.old)
		}
		if _, err := Parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s → %s: error %v, want one about %s", c.old, c.new, err, c.want)
		}
	}
}

func TestWithoutADecoderTokensStandForThemselves(t *testing.T) {
	var file map[string]any
	if err := json.Unmarshal(local(t, "wordpiece.json"), &file); err != nil {
		t.Fatal(err)
	}
	file["decoder"] = nil
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	ids := tok.Encode("the baker")
	if got, want := tok.Decode(ids, true), strings.Join(tok.Tokens("the baker"), " "); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReadsTheOlderSpellingOfMerges(t *testing.T) {
	good := string(local(t, "spaces.json"))
	var file map[string]any
	if err := json.Unmarshal([]byte(good), &file); err != nil {
		t.Fatal(err)
	}
	model := file["model"].(map[string]any)
	delete(model, "type")
	for i, pair := range model["merges"].([]any) {
		model["merges"].([]any)[i] = pair.([]any)[0].(string) + " " + pair.([]any)[1].(string)
	}
	older, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(older)
	if err != nil {
		t.Fatal(err)
	}
	if tok.file.bpe.Type != "BPE" {
		t.Errorf("would be written with the type %q", tok.file.bpe.Type)
	}
	newer, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := mergesOf(tok), mergesOf(newer); !slices.Equal(got, want) {
		t.Errorf("merges %q, want %q", got, want)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("an empty object: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},"added_tokens":[{"id":9,"content":"ba"}]}`))
	f.Add([]byte(`{"version":"1.0","added_tokens":[{"id":3,"content":"</s>","normalized":true,"special":true}],` +
		`"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":" ?\\S+|\\s+"},"behavior":"Isolated","invert":false},` +
		`{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]},` +
		`"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],` +
		`"special_tokens":{"</s>":{"id":"</s>","ids":[3],"tokens":["</s>"]}}},"decoder":{"type":"ByteLevel"},` +
		`"model":{"type":"BPE","unk_token":"a","vocab":{"a":0,"b":1,"ab":2,"Ġ":4},"merges":[["a","b"]]}}`))
	for _, name := range shippedNames {
		f.Add(local(f, name+".json"))
	}
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := Parse(data)
		if err != nil {
			return
		}
		text := "A baker ab \xff</s>" + strings.Repeat("ab", 50) + "\u0301é ﬁ 中 12"
		ids := tok.EncodeSpecial(text)
		tok.Decode(ids, false)
		tok.Tokens(text)
		streamed(t, tok, ids, false)
		again, err := tok.JSON()
		if err != nil {
			t.Fatal(err)
		}
		same, err := Parse(again)
		if err != nil {
			t.Fatalf("%v\nin what was written: %.500s", err, again)
		}
		if a, b := len(same.EncodeSpecial(text)), len(ids); a != b {
			t.Fatalf("%d ids, %d before writing", a, b)
		}
	})
}

func TestConfigNamesTheTokensForTransformers(t *testing.T) {
	tok, err := Parse(local(t, "spaces.json"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := tok.Config(Roles{EOS: "</s>", Unknown: "<unk>", Pad: "<pad>"}, 512)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
		"bos_token": nil, "model_max_length": 512.0, "clean_up_tokenization_spaces": false,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	if added := got["added_tokens_decoder"].(map[string]any)["0"].(map[string]any); added["content"] != "</s>" || added["special"] != true {
		t.Errorf("token 0 is %v", added)
	}
	if _, err := tok.Config(Roles{BOS: "<s>"}, 0); err == nil || !strings.Contains(err.Error(), `"<s>"`) {
		t.Errorf("an unknown token: %v", err)
	}
}
