"""Makes the tokenizers of other kinds in this folder, and expected values, with Hugging Face tokenizers and SentencePiece:
python make_shipped.py (needs the Python packages tokenizers and sentencepiece; made with 0.23.3 and 0.2.3)."""
import json, os
import sentencepiece as spm
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

os.chdir(os.path.dirname(os.path.abspath(__file__)))
texts = [
    "", " ", "  ", "\n", " a", "  a", "a ", "a  b", "a\n\nb", "\t a\u00a0b\u3000c\u2028d\x85e\r\n \r\nx", "The baker doesn't listen. HE'LL say it'ſ so.",
    "l'été où l’on a vu 12½ ²³ 1987-2024 12345678", "dog</s>dog", "a </s> b", "<unk> </s></s> <pad>x", "</s", "mask <mask> masked<mask>", "boulang boulanger boulang.",
    "中文没有空格。", "مرحبا بالعالم", "नमस्ते", "👩‍👩‍👧 ok 🇫🇷", "e\u0301 \u0301 \u200b\ufeff ﬁn Ⅳ ① ½", "\x00\x01\x1f\x7f", "\ua7cb\U00010d40\U0002ebf0 \U000e0001",
    "Ärger İstanbul ΣΑΣ Łódź", "rrrrrrrr aaaaaaaaaaaaaaaaaaaaaaa !!!!!!!!! ????", "boulanger" * 9, "one ▁two▁▁three ", "x = y_1*(z[3]) // ok; #3 $5 %",
    "e\u0323\u0301\u0302 \u1112\u1161\u11ab \u0344", "a" + "\u0301\u0323" * 20, "the children count the boats and the dog runs",
]


def save(t, name):
    t.save(name + ".json", pretty=False)
    cases = []
    for text in texts:
        t.encode_special_tokens = False
        e, s = t.encode(text, add_special_tokens=False), t.encode(text)
        case = dict(text=text, ids=e.ids, tokens=e.tokens, decoded=t.decode(e.ids, skip_special_tokens=False),
                    ids_special=s.ids, decoded_skip=t.decode(s.ids, skip_special_tokens=True))
        t.encode_special_tokens = True
        plain = t.encode(text, add_special_tokens=False).ids
        if plain != e.ids:
            case["ids_plain"] = plain
        cases.append(json.dumps(case, ensure_ascii=True))
    write(name + ".cases.json", cases)


def write(name, cases):
    with open(name, "w") as f:
        f.write("[\n" + ",\n".join(cases) + "\n]\n")


def template(single):
    return processors.TemplateProcessing(single=single, pair=single + " $B:1", special_tokens=[("</s>", 0)])


special = [AddedToken("<pad>"), AddedToken("<mask>", lstrip=True, rstrip=True)]
gpt4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
alphabet = pre_tokenizers.ByteLevel.alphabet()
split = lambda pattern: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
for name, pre, norm in [
    ("llama3", split(gpt4 % "{1,3}"), None),
    ("qwen", split(gpt4 % ""), normalizers.NFC()),
    ("digits", pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)]), None),
    ("regex", split(r"[aeiouy]+(?=\p{L})|\p{Lu}+|\s+"), normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Replace(Regex(r"[0-9]+"), "#")])),
]:
    t = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    if norm:
        t.normalizer = norm
    t.train(["text.txt"], trainers.BpeTrainer(vocab_size=400, special_tokens=["</s>", "<unk>"], initial_alphabet=alphabet, show_progress=False))
    t.add_special_tokens(special)
    t.add_tokens([AddedToken("boulang", single_word=True, normalized=False)])
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template("</s> $A")])
    save(t, name)

spm.SentencePieceTrainer.train(
    input="text.txt", model_prefix="bpe", model_type="bpe", vocab_size=450, byte_fallback=True, normalization_rule_name="identity",
    remove_extra_whitespaces=False, user_defined_symbols=["baker", "ing "], minloglevel=2)
with open("rules.tsv", "w") as f:
    for old, new in [("ﬁ", "fi"), ("Ⅳ", "IV"), ("½", "1/2"), ("\t", " "), ("\n", " "), ("\r", " "), ("\u00a0", " "), ("\u3000", " "), ("\u200b", ""),
                     ("e\u0301", "é"), ("\u0301", "´"), ("①", "1")]:
        f.write(" ".join("%X" % ord(c) for c in old) + "\t" + " ".join("%X" % ord(c) for c in new) + "\n")
for name, size in [("unigram", 150), ("opus/source", 130), ("opus/target", 110)]:
    os.makedirs("opus", exist_ok=True)
    spm.SentencePieceTrainer.train(input="text.txt", model_prefix=name, vocab_size=size, normalization_rule_tsv="rules.tsv", minloglevel=2,
                                   user_defined_symbols=["baker"] if name == "unigram" else [])
    os.remove(name + ".vocab")
os.remove("bpe.vocab"), os.remove("rules.tsv")
os.rename("opus/source.model", "opus/source.spm"), os.rename("opus/target.model", "opus/target.spm")
for name in ["bpe", "unigram"]:
    m = spm.SentencePieceProcessor(model_file=name + ".model")
    write(name + ".model.cases.json", [json.dumps(dict(text=t, ids=m.encode(t), decoded=m.decode(m.encode(t)))) for t in texts])

sides = [spm.SentencePieceProcessor(model_file="opus/%s.spm" % s) for s in ("source", "target")]
vocab = {"</s>": 0, "<unk>": 1}
for p in sorted({m.id_to_piece(i) for m in sides for i in range(3, m.get_piece_size())} - {"s", "▁dog"}):
    vocab[p] = len(vocab)
vocab[">>fra<<"] = len(vocab)
vocab["<pad>"] = len(vocab)
json.dump(vocab, open("opus/vocab.json", "w"), ensure_ascii=False, indent=0)
write("opus/cases.json", [
    json.dumps(dict(text=t, source_tokens=sides[0].encode(t, out_type=str), **{
        side + "_ids": [vocab.get(p, 1) for p in m.encode(t, out_type=str)] + [0] for side, m in zip(("source", "target"), sides)}))
    for t in texts if "<" not in t])

m = spm.SentencePieceProcessor(model_file="bpe.model")  # as Llama 2 was converted
vocab = {m.id_to_piece(i): i for i in range(m.get_piece_size()) if not m.is_control(i) and m.id_to_piece(i) not in ("baker", "ing▁")}
vocab = {p: i for i, p in enumerate(["</s>", *vocab])}
merges = [(vocab[p], p[:i], p[i:]) for p in vocab for i in range(1, len(p)) if p[:i] in vocab and p[i:] in vocab and not p.startswith("<")]
t = Tokenizer(models.BPE(vocab, [(a, b) for _, a, b in sorted(merges)], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
t.post_processor = template("</s> $A")
t.add_special_tokens(["</s>", "<unk>"] + special)
save(t, "llama2")

m = spm.SentencePieceProcessor(model_file="unigram.model")
proto = open("unigram.model", "rb").read()
t = Tokenizer(models.Unigram([("</s>", 0.0)] + [(m.id_to_piece(i), m.get_score(i)) for i in range(m.get_piece_size()) if i not in (1, 2)], 1, False))
begin = proto.index(b"user_defined") + len(b"user_defined")  # NormalizerSpec: name, then the map with its length as a varint
assert proto[begin] == 0x12
size = shift = 0
while True:
    begin += 1
    size |= (proto[begin] & 127) << shift
    shift += 7
    if proto[begin] < 128:
        break
charsmap = proto[begin + 1:begin + 1 + size]
t.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap), normalizers.Strip(False, True), normalizers.Replace(Regex(" {2,}"), "▁")])
t.pre_tokenizer = t.decoder = None
t.pre_tokenizer, t.decoder = pre_tokenizers.Metaspace(prepend_scheme="first"), decoders.Metaspace(prepend_scheme="first")
t.post_processor = template("$A </s>")
t.add_special_tokens(["</s>", "<unk>"] + special)
save(t, "unigram")

t = Tokenizer(models.WordPiece(unk_token="<unk>", max_input_chars_per_word=40))
t.normalizer, t.pre_tokenizer, t.decoder = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
t.train(["text.txt"], trainers.WordPieceTrainer(vocab_size=250, special_tokens=["</s>", "<unk>"], show_progress=False))
t.add_special_tokens(special)
t.post_processor = processors.BertProcessing(("</s>", 0), ("</s>", 0))
save(t, "wordpiece")
