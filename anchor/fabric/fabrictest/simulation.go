package fabrictest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// value is a key's value and the number of the block that wrote it, 0 for none.
type value struct {
	bytes   []byte
	version uint64
}

// simulation is one run of the contract: it notes what is read, and keeps back what is written.
type simulation struct {
	state  map[string]value
	reads  map[string]uint64
	writes map[string][]byte
}

// Get implements [State].
func (s *simulation) Get(key string) []byte {
	if s.reads == nil {
		s.reads = make(map[string]uint64)
	}
	v := s.state[key]
	s.reads[key] = v.version
	return v.bytes
}

// Put implements [State].
func (s *simulation) Put(key string, b []byte) {
	if s.writes == nil {
		s.writes = make(map[string][]byte)
	}
	s.writes[key] = b
}

// results returns the read-write set. As on a real network, a lifecycle namespace was read, too.
func (s *simulation) results(namespace string) []byte {
	var set kvrwset.KVRWSet
	for _, key := range slices.Sorted(maps.Keys(s.reads)) {
		read := &kvrwset.KVRead{Key: key}
		if v := s.reads[key]; v > 0 {
			read.Version = &kvrwset.Version{BlockNum: v}
		}
		set.Reads = append(set.Reads, read)
	}
	for _, key := range slices.Sorted(maps.Keys(s.writes)) {
		set.Writes = append(set.Writes, &kvrwset.KVWrite{Key: key, Value: s.writes[key]})
	}
	lifecycle := marshal(&kvrwset.KVRWSet{Reads: []*kvrwset.KVRead{
		{Key: "namespaces/fields/" + namespace + "/Sequence", Version: &kvrwset.Version{BlockNum: 4}},
	}})
	return marshal(&rwset.TxReadWriteSet{NsRwset: []*rwset.NsReadWriteSet{
		{Namespace: "_lifecycle", Rwset: lifecycle},
		{Namespace: namespace, Rwset: marshal(&set)},
	}})
}

// readSimulation reads what a transaction read and wrote.
func readSimulation(envelope *common.Envelope, namespace string) (*simulation, error) {
	var payload common.Payload
	var transaction peer.Transaction
	var action peer.ChaincodeActionPayload
	var response peer.ProposalResponsePayload
	var result peer.ChaincodeAction
	var results rwset.TxReadWriteSet
	for _, step := range []func() error{
		func() error { return proto.Unmarshal(envelope.GetPayload(), &payload) },
		func() error { return proto.Unmarshal(payload.GetData(), &transaction) },
		func() error { return proto.Unmarshal(transaction.GetActions()[0].GetPayload(), &action) },
		func() error { return proto.Unmarshal(action.GetAction().GetProposalResponsePayload(), &response) },
		func() error { return proto.Unmarshal(response.GetExtension(), &result) },
		func() error { return proto.Unmarshal(result.GetResults(), &results) },
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("read transaction: %w", err)
		}
	}
	sim := &simulation{reads: make(map[string]uint64), writes: make(map[string][]byte)}
	for _, ns := range results.GetNsRwset() {
		var set kvrwset.KVRWSet
		if err := proto.Unmarshal(ns.GetRwset(), &set); err != nil {
			return nil, fmt.Errorf("read transaction: %w", err)
		}
		if ns.GetNamespace() != namespace {
			continue
		}
		for _, read := range set.GetReads() {
			sim.reads[read.GetKey()] = read.GetVersion().GetBlockNum()
		}
		for _, write := range set.GetWrites() {
			sim.writes[write.GetKey()] = write.GetValue()
		}
	}
	return sim, nil
}
