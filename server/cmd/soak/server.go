package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"connectrpc.com/connect"

	pb "github.com/framewire/framewire/gen/go/framewire/v1"
	"github.com/framewire/framewire/gen/go/framewire/v1/framewirev1connect"
)

const (
	startTime = 20 * time.Second
	stopTime  = 20 * time.Second
	askTime   = 20 * time.Second
)

// server is the program that is tried.
type server struct {
	cmd    *exec.Cmd
	folder string
	log    string // file
	clip   string // file of a stream
	found  *problems

	addr, rtmp, whip, pprof string // told in the log

	ended  chan struct{} // closed once err is set
	err    error
	reader sync.WaitGroup

	http  *http.Client
	admin framewirev1connect.AdminServiceClient
}

func startServer(ctx context.Context, binary, folder string, found *problems) (*server, error) {
	s := &server{
		folder: folder, log: filepath.Join(folder, "server.log"), clip: filepath.Join(folder, "clip.mp4"), found: found,
		ended: make(chan struct{}),
		// Each request on a connection of its own: none counts as left over.
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: askTime},
	}
	err := ffmpeg(ctx, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15:duration=8", "-f", "lavfi", "-i", "sine=duration=8",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest", s.clip)
	if err != nil {
		return nil, err
	}
	if err := s.configure(plainConfig); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(binary, "serve", "--config", s.config(), "--pprof", "127.0.0.1:0")
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	told := make(chan struct{})
	s.reader.Go(func() {
		defer close(s.ended)
		s.read(io.TeeReader(stderr, log), told)
		s.err = errors.Join(s.cmd.Wait(), log.Close())
	})
	select {
	case <-told:
	case <-s.ended:
		return nil, fmt.Errorf("the server ended at once: %w; see %s", s.err, s.log)
	case <-time.After(startTime):
		return nil, errors.Join(errors.New("the server does not tell where it listens"), s.stop())
	}
	s.admin = framewirev1connect.NewAdminServiceClient(s.http, "http://"+s.addr)
	return s, nil
}

// read follows the log. It closes told when all addresses are known.
func (s *server) read(from io.Reader, told chan<- struct{}) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Level, Msg, Addr, Open string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			s.found.add("the server writes what is no line of its log: %s", lines.Text())
			continue
		}
		switch line.Msg {
		case "rtmp listening":
			s.rtmp = line.Addr
		case "whip listening":
			s.whip = line.Addr
		case "serving profiles":
			s.pprof = line.Open
		case "listening":
			s.addr = line.Addr
			close(told)
		}
		// Panics of sessions are caught, and logged as errors like all that an
		// operator has to see to. Refused configurations are meant.
		if line.Level == "ERROR" && !strings.HasPrefix(line.Msg, "the configuration is refused") {
			s.found.add("the log: %s", lines.Text())
		}
	}
}

// stop ends the server, and tells how it ended.
func (s *server) stop() error {
	select {
	case <-s.ended:
		return fmt.Errorf("it had ended before: %w", s.err)
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.AfterFunc(stopTime, func() {
		s.found.add("the server did not end within %v", stopTime)
		_ = s.cmd.Process.Signal(syscall.SIGABRT) // with its goroutines in the log
	})
	defer late.Stop()
	s.reader.Wait()
	return s.err
}

func (s *server) config() string { return filepath.Join(s.folder, "framewire.yaml") }

// Configurations by what they are, with a place for the clip's path.
const (
	streamsConfig = `
listen: 127.0.0.1:0
window: 10s
log: {format: json}
streams:
  demo: {source: "demo:"}
  clip: {source: "%[1]s"}
  picture: {source: "ffmpeg:-re -f lavfi -i testsrc2=size=320x180:rate=15"}
`
	publishConfig = `
publish:
  rtmp: 127.0.0.1:0
  webrtc: 127.0.0.1:0
  rules: [{streams: "pub/**", key: soak}, {streams: "taken/*", key: soak, takeover: true}]
  silence: 3s
  grace: 1s
  linger: 1s
`
	plainConfig = streamsConfig + publishConfig
)

// otherConfigs are put in force at random. Some are refused.
var otherConfigs = []string{
	plainConfig + "origins: [\"*.example.com\"]\nlimits: {viewers: 500, viewers_per_stream: 400}\n",
	streamsConfig + "  more: {source: \"demo:\"}\n" + publishConfig,
	streamsConfig + "  more: {source: \"%[1]s\"}\n" + publishConfig + "  max_publishers: 50\n",
	plainConfig + "streems: {}\n",
	plainConfig + "limits: {viewers: -1}\n",
	"streams: [",
	"",
	"\x00\xff",
}

func (s *server) configure(config string) error {
	if strings.Contains(config, "%") {
		config = fmt.Sprintf(config, s.clip)
	}
	next := s.config() + ".new"
	if err := os.WriteFile(next, []byte(config), 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.config())
}

// figures are what a server holds.
type figures struct {
	goroutines, descriptors int
	heap, total             uint64
	sessions, publishers    int
}

func (f figures) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d kB of heap (%d kB in all), %d sessions, %d publishers",
		f.goroutines, f.descriptors, f.heap>>10, f.total>>10, f.sessions, f.publishers)
}

func (f figures) within(before figures) bool {
	return f.goroutines <= before.goroutines+spareGoroutines && f.descriptors <= before.descriptors+spareDescriptors &&
		f.heap <= before.heap+spareHeap && f.sessions == 0 && f.publishers == 0
}

var heapAlloc = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

func (s *server) figures(ctx context.Context) (figures, error) {
	profile, err := s.profile(ctx, "heap?gc=1&debug=1")
	if err != nil {
		return figures{}, err
	}
	found := heapAlloc.FindStringSubmatch(profile)
	if found == nil {
		return figures{}, errors.New("the heap's profile does not tell its size")
	}
	info, err := s.admin.GetServer(ctx, connect.NewRequest(&pb.GetServerRequest{}))
	if err != nil {
		return figures{}, fmt.Errorf("ask the server: %w", err)
	}
	f := figures{
		goroutines: int(info.Msg.GetGoroutines()), descriptors: int(info.Msg.GetDescriptors()), total: info.Msg.GetMemoryBytes(),
		sessions: int(info.Msg.GetSessions()), publishers: int(info.Msg.GetPublishers()),
	}
	f.heap, err = strconv.ParseUint(found[1], 10, 64)
	return f, err
}

func (s *server) profile(ctx context.Context, what string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.pprof+what, nil)
	if err != nil {
		return "", err
	}
	response, err := s.http.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return string(data), err
}

// dump writes beside the log what the server holds.
func (s *server) dump(ctx context.Context) error {
	for name, what := range map[string]string{"goroutines.txt": "goroutine?debug=1", "heap.txt": "heap?debug=1"} {
		data, err := s.profile(ctx, what)
		if err == nil {
			err = os.WriteFile(filepath.Join(s.folder, name), []byte(data), 0o600)
		}
		if err != nil {
			return err
		}
	}
	if target, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)); err == nil {
		for _, entry := range target {
			link, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", s.cmd.Process.Pid, entry.Name()))
			fmt.Fprintln(os.Stderr, "descriptor", entry.Name(), link)
		}
	}
	return nil
}

// children are the processes that the server has started, where the system tells.
func (s *server) children() (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.cmd.Process.Pid))
	for _, list := range lists {
		data, _ := os.ReadFile(list)
		for field := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// ffmpeg runs it to its end.
func ffmpeg(ctx context.Context, args ...string) error {
	full := append([]string{"-hide_banner", "-nostdin", "-loglevel", "error", "-y"}, args...)
	if out, err := exec.CommandContext(ctx, "ffmpeg", full...).CombinedOutput(); err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	return nil
}
