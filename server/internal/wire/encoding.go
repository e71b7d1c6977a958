package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

// Encoding is how control messages are written. A Fragment is binary protobuf in
// both.
type Encoding uint8

// The encodings, one for each WebSocket subprotocol.
const (
	Proto Encoding = iota
	JSON
)

// Names of the WebSocket subprotocols.
const (
	SubprotocolProto = "framewire.v1.proto"
	SubprotocolJSON  = "framewire.v1.json"
)

// Subprotocols lists what a server offers, the preferred one first.
func Subprotocols() []string { return []string{SubprotocolProto, SubprotocolJSON} }

// EncodingOf returns the encoding that a subprotocol stands for.
func EncodingOf(subprotocol string) (Encoding, bool) {
	switch subprotocol {
	case SubprotocolProto:
		return Proto, true
	case SubprotocolJSON:
		return JSON, true
	default:
		return 0, false
	}
}

// Text reports whether control messages travel in text frames.
func (e Encoding) Text() bool { return e == JSON }

func (e Encoding) String() string {
	if e == JSON {
		return SubprotocolJSON
	}
	return SubprotocolProto
}

// marshalJSON writes fields that hold their default too, so that a reader by eye
// or script need not know the schema.
var marshalJSON = protojson.MarshalOptions{EmitUnpopulated: true}

// Encode returns the wire form of m.
func (e Encoding) Encode(m ServerMessage) []byte { return e.marshal(m.message()) }

// Recode returns the wire form of a ServerMessage that is given in binary
// protobuf, such as media.Epoch.Message. The result may share its memory.
func (e Encoding) Recode(binary []byte) ([]byte, error) {
	if e == Proto {
		return binary, nil
	}
	var m pb.ServerMessage
	if err := proto.Unmarshal(binary, &m); err != nil {
		return nil, fmt.Errorf("recode server message: %w", err)
	}
	return e.marshal(&m), nil
}

func (e Encoding) marshal(m *pb.ServerMessage) []byte {
	var data []byte
	var err error
	if e == JSON {
		data, err = marshalJSON.Marshal(m)
	} else {
		data, err = proto.Marshal(m)
	}
	if err != nil {
		// Only a string that is not UTF-8 can do this, and every string in a
		// server message is checked on its way in or written by the program.
		panic(fmt.Sprintf("wire: marshal %T: %v", m.GetBody(), err))
	}
	return data
}
