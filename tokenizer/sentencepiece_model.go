package tokenizer

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// sentencePieceModel is the part of SentencePiece's ModelProto (sentencepiece_model.proto)
// that decides what a text becomes.
type sentencePieceModel struct {
	pieces []scoredSentencePiece // by id

	kind         sentencePieceKind
	byteFallback bool
	suffixSpace  bool // the sign for a space comes after a word
	unkSurface   string

	charMap        []byte
	addDummyPrefix bool
	removeExtra    bool // white space
	escapeSpaces   bool
}

type scoredSentencePiece struct {
	text  string
	score float32
	kind  pieceKind
}

// sentencePieceKind is TrainerSpec.ModelType.
type sentencePieceKind uint64

const (
	sentencePieceUnigram sentencePieceKind = 1
	sentencePieceBPE     sentencePieceKind = 2
)

// pieceKind is ModelProto.SentencePiece.Type.
type pieceKind uint64

const (
	normalPiece      pieceKind = 1
	unknownPieceKind pieceKind = 2
	controlPiece     pieceKind = 3
	userPiece        pieceKind = 4 // is found in any text, whatever the scores
	unusedPiece      pieceKind = 5
	bytePiece        pieceKind = 6
)

// readSentencePieceModel reads a .model or .spm.
func readSentencePieceModel(data []byte) (*sentencePieceModel, error) {
	m := &sentencePieceModel{
		kind: sentencePieceUnigram, unkSurface: " \u2047 ", addDummyPrefix: true, removeExtra: true, escapeSpaces: true,
	}
	err := eachField(data, func(f field) error {
		switch f.number {
		case 1:
			return m.readPiece(f.bytes)
		case 2:
			return eachField(f.bytes, m.readTrainer)
		case 3:
			return eachField(f.bytes, m.readNormalizer)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("not a readable SentencePiece model: %w", err)
	}
	if len(m.pieces) == 0 {
		return nil, errors.New("not a SentencePiece model: there is no piece in it")
	}
	return m, nil
}

func (m *sentencePieceModel) readPiece(data []byte) error {
	p := scoredSentencePiece{kind: normalPiece}
	err := eachField(data, func(f field) error {
		switch f.number {
		case 1:
			p.text = string(f.bytes)
		case 2:
			p.score = math.Float32frombits(uint32(f.value))
		case 3:
			p.kind = pieceKind(f.value)
		}
		return nil
	})
	if err == nil && p.text == "" {
		err = fmt.Errorf("piece %d is empty", len(m.pieces))
	}
	m.pieces = append(m.pieces, p)
	return err
}

// readTrainer reads a field of TrainerSpec.
func (m *sentencePieceModel) readTrainer(f field) error {
	switch f.number {
	case 3:
		m.kind = sentencePieceKind(f.value)
	case 24:
		m.suffixSpace = f.value != 0
	case 35:
		m.byteFallback = f.value != 0
	case 44:
		m.unkSurface = string(f.bytes)
	}
	return nil
}

// readNormalizer reads a field of NormalizerSpec.
func (m *sentencePieceModel) readNormalizer(f field) error {
	switch f.number {
	case 2:
		m.charMap = f.bytes
	case 3:
		m.addDummyPrefix = f.value != 0
	case 4:
		m.removeExtra = f.value != 0
	case 5:
		m.escapeSpaces = f.value != 0
	}
	return nil
}

// field is a field of a protobuf message: a number, or bytes.
type field struct {
	number protowire.Number
	value  uint64
	bytes  []byte
}

// eachField calls do for the fields of a message.
func eachField(data []byte, do func(field) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			f.value = uint64(v)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}
