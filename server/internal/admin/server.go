package admin

import (
	"context"
	"os"
	"runtime/metrics"
	"time"

	"connectrpc.com/connect"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
)

// GetServer implements framewirev1connect.AdminServiceHandler.
func (s *Service) GetServer(context.Context, *connect.Request[pb.GetServerRequest]) (*connect.Response[pb.GetServerResponse], error) {
	o := &s.opts
	response := &pb.GetServerResponse{
		Version:         o.Build.Version,
		GoVersion:       o.Build.Go,
		Commit:          o.Build.Commit,
		StartedAtUnixUs: s.started.UnixMicro(),
		NowUnixUs:       time.Now().UnixMicro(),
		Sessions:        uint32(len(o.Sessions.All())),
		Streams:         uint32(len(o.Hub.Streams())),
		Publishers:      uint32(len(o.Publishers.Publishers())),
		Descriptors:     descriptors(),
	}
	for _, n := range o.Sessions.Sent() {
		response.SentBytes += n.Bytes
	}
	response.MemoryBytes, response.Goroutines = process()
	return connect.NewResponse(response), nil
}

// process returns the memory that the Go runtime has from the system, and the
// number of goroutines.
func process() (bytes uint64, goroutines uint32) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/sched/goroutines:goroutines"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64(), uint32(samples[2].Value.Uint64())
}

// descriptors counts open files, where the system tells.
func descriptors() uint32 {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return uint32(max(0, len(entries)-1)) // one is that of the folder being read
}
