package app

import (
	"context"
	"path/filepath"

	"github.com/restante/restante/host"
)

// daemonName names a daemon among those that share a store, the same when it is started
// again; it is empty where it has the store alone.
func (c Config) daemonName(machine string) (string, error) {
	switch n := c.Store.Cluster; {
	case !c.Store.shared():
		return "", nil
	case n != nil:
		return n.Name, nil
	}
	return machineAndFolder(machine, c.Data)
}

func machineAndFolder(machine, data string) (string, error) {
	folder, err := filepath.Abs(data)
	return machine + ":" + folder, err
}

// ownRecords are records that other daemons have apart: each has its own folder of
// plugins, and decides for itself which of their versions serve.
type ownRecords struct {
	of     host.Records
	daemon string
}

func (r ownRecords) bucket(name string) string {
	if r.daemon == "" {
		return name
	}
	return name + "@" + r.daemon
}

func (r ownRecords) Record(ctx context.Context, bucket, key string) (host.Record, error) {
	return r.of.Record(ctx, r.bucket(bucket), key)
}

func (r ownRecords) Records(ctx context.Context, bucket string) ([]host.Record, error) {
	return r.of.Records(ctx, r.bucket(bucket))
}

func (r ownRecords) PutRecord(ctx context.Context, bucket string, record host.Record) (uint64, error) {
	return r.of.PutRecord(ctx, r.bucket(bucket), record)
}

func (r ownRecords) DeleteRecord(ctx context.Context, bucket string, record host.Record) error {
	return r.of.DeleteRecord(ctx, r.bucket(bucket), record)
}
