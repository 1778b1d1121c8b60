package fabrictest

import (
	"bytes"
	"crypto/sha256"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
)

// chain is the channel's blocks, by number.
type chain []*common.Block

// add appends a block of these envelopes, with a verdict of each.
func (c *chain) add(verdicts []byte, envelopes ...[]byte) {
	number := uint64(len(*c))
	var previous []byte
	if number > 0 {
		previous = hashOf((*c)[number-1])
	}
	data := sha256.Sum256(bytes.Join(envelopes, nil))
	metadata := make([][]byte, common.BlockMetadataIndex_TRANSACTIONS_FILTER+1)
	metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = verdicts
	*c = append(*c, &common.Block{
		Header:   &common.BlockHeader{Number: number, PreviousHash: previous, DataHash: data[:]},
		Data:     &common.BlockData{Data: envelopes},
		Metadata: &common.BlockMetadata{Metadata: metadata},
	})
}

// hashOf returns the hash of a block's header.
func hashOf(b *common.Block) []byte {
	hash, err := contract.BlockHash(b.GetHeader())
	must(err)
	return hash
}

// Replace puts another chain of so many blocks in place of the channel's, as a peer has that was set up anew.
func (n *Network) Replace(blocks int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.chain = nil
	for i := range blocks {
		n.chain.add([]byte{0}, []byte{'r', byte(i)})
	}
	n.wake()
}

// EndStreams ends every stream of blocks, as a peer does that is killed.
func (n *Network) EndStreams() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.streams++
	n.wake()
}

// wake wakes those who wait for a block. The caller holds the lock.
func (n *Network) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// height is what the channel's own contract says of it. The caller holds the lock.
func (n *Network) height() []byte {
	return marshal(&common.BlockchainInfo{Height: uint64(len(n.chain)), CurrentBlockHash: hashOf(n.chain[len(n.chain)-1])})
}

// deliver is the Deliver service of a peer.
type deliver struct {
	peer.UnimplementedDeliverServer

	n *Network
}

// Deliver implements the service: blocks from the one that is asked for, and those that come.
func (d deliver) Deliver(stream grpc.BidiStreamingServer[common.Envelope, peer.DeliverResponse]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	var payload common.Payload
	var seek orderer.SeekInfo
	if err := proto.Unmarshal(request.GetPayload(), &payload); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if err := proto.Unmarshal(payload.GetData(), &seek); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	d.n.mu.Lock()
	streams := d.n.streams
	d.n.mu.Unlock()
	for next := seek.GetStart().GetSpecified().GetNumber(); ; {
		d.n.mu.Lock()
		var block *common.Block
		if next < uint64(len(d.n.chain)) {
			block = d.n.chain[next]
		}
		changed, ended := d.n.changed, d.n.streams != streams
		d.n.mu.Unlock()
		switch {
		case ended:
			return status.Error(codes.Unavailable, "the peer is going down")
		case block != nil:
			if err := stream.Send(&peer.DeliverResponse{Type: &peer.DeliverResponse_Block{Block: block}}); err != nil {
				return err
			}
			next++
			continue
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}
