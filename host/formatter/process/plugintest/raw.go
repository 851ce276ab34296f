//go:build unix

package plugintest

import (
	"bytes"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// rawMark becomes rawBytes on the wire, which is no UTF-8. Protobuf for Go
// refuses to write such text; other languages' don't.
const (
	rawMark  = "@@raw@@"
	rawBytes = "\xff\xfe\x80\xc0\xf5\xed\xa0" // of the same length
)

func rawServer() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ForceServerCodec(rawCodec{})}
}

// rawCodec writes what a proper codec would not.
type rawCodec struct {
	garbage bool // nothing that it writes is protobuf
}

func (c rawCodec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("marshal a %T", v)
	}
	if c.garbage {
		return bytes.Repeat([]byte{0xff}, 100), nil
	}
	b, err := proto.Marshal(m)
	return bytes.ReplaceAll(b, []byte(rawMark), []byte(rawBytes)), err
}

func (c rawCodec) Unmarshal(b []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("unmarshal a %T", v)
	}
	return proto.Unmarshal(b, m)
}

func (c rawCodec) Name() string { return "proto" }

// largeServer answers one kind of call with size bytes. They are the same
// megabyte over and over, so the plugin needs no memory to speak of for them.
func largeServer(answer proto.Message, size int) func() []grpc.ServerOption {
	return func() []grpc.ServerOption {
		return []grpc.ServerOption{grpc.ForceServerCodecV2(largeCodec{encoding.GetCodecV2("proto"), answer, size})}
	}
}

type largeCodec struct {
	encoding.CodecV2
	answer proto.Message
	size   int
}

func (c largeCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok || m.ProtoReflect().Descriptor() != c.answer.ProtoReflect().Descriptor() {
		return c.CodecV2.Marshal(v)
	}
	part := mem.SliceBuffer(make([]byte, 1<<20))
	all := make(mem.BufferSlice, 0, c.size/len(part))
	for range c.size / len(part) {
		all = append(all, part)
	}
	return all, nil
}
