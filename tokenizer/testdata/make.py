"""Makes the tokenizers and expected values in this folder with Hugging Face tokenizers:
python make.py (needs the Python package tokenizers; made with 0.23.3)."""
import json, os
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

os.chdir(os.path.dirname(os.path.abspath(__file__)))
texts = [
    "", " ", "  ", "\n", " \n ", "a", " a", "  a", "a ", "a  b", "a\n\nb", "\t a\u00a0b\u3000c\u2028d\x85e",
    "The baker doesn't listen.", "They'll've said 'tis 'LL'd it's'nt", "l'été où l’on a vu 12½ ²³ 1987-2024",
    "the girls &apos; dresses , &quot; ok &quot;", "dog</s>dog", "</s>", "<unk> </s></s> <pad>x", "</s", "<p<pad>",
    "中文没有空格。", "مرحبا بالعالم", "नमस्ते", "👩‍👩‍👧 ok 🇫🇷", "e\u0301 \u0301 \u200b\ufeff", "\x00\x01\x1f\x7f", "\ua7cb\U00010d40\U0002ebf0 \U000e0001",
    "rrrrrrrr aaaaaaaaaaaaaaaaaaaaaaa !!!!!!!!! ????", "boulangerboulangerboulangerboulangerboulangerboulangerboulangerboulanger",
    "\r\nline\r\n\r\nline\r\n   indented\n\ttab  ", "x = y_1*(z[3]) // ok; #3 $5 %", "ſ's Ｓ＇s ǅ ª º Ⅷ ٣",
]
patterns = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "spaces": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r" ?\S+|\s+"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
}
for name, pattern in patterns.items():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer, t.decoder = pattern, decoders.ByteLevel()
    t.train(["text.txt"], trainers.BpeTrainer(vocab_size=450, min_frequency=2, special_tokens=["</s>", "<unk>"],
                                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.add_special_tokens(["<pad>"])
    t.add_tokens([AddedToken("boul", normalized=False), AddedToken("lang", normalized=True)] if name == "gpt2" else [])
    if name == "spaces":
        t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B:1 </s>:1", special_tokens=[("</s>", 0)])
    t.save(name + ".json", pretty=False)
    cases = []
    for text in texts:
        t.encode_special_tokens = False
        e, s = t.encode(text, add_special_tokens=False), t.encode(text)
        case = dict(text=text, ids=e.ids, tokens=e.tokens, decoded=t.decode(e.ids, skip_special_tokens=False),
                    ids_special=s.ids, decoded_skip=t.decode(s.ids, skip_special_tokens=True))
        t.encode_special_tokens = True
        case["ids_plain"] = t.encode(text, add_special_tokens=False).ids
        cases.append(json.dumps(case, ensure_ascii=True))
    with open(name + ".cases.json", "w") as f:
        f.write("[\n" + ",\n".join(cases) + "\n]\n")
