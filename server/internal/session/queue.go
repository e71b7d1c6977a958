package session

import "github.com/framewire/framewire/server/internal/media"

// Bounds of one viewer's control queue: enough for the answers to a burst of
// commands. Whoever sends commands without reading answers is not read from
// while the queue is full.
const (
	maxQueueMessages = 64
	maxQueueBytes    = 256 << 10
)

// queue holds control messages until the next step.
type queue struct {
	messages []Message
	bytes    int
}

func (q *queue) push(m Message) {
	q.messages = append(q.messages, m)
	q.bytes += len(m.Data)
}

func (q *queue) full() bool {
	return len(q.messages) >= maxQueueMessages || q.bytes >= maxQueueBytes
}

// drain moves everything to b.
func (q *queue) drain(b *Batch) {
	for _, m := range q.messages {
		b.add(m)
	}
	*q = queue{} // most viewers queue nothing for hours: hold no memory for it
}

// Bounds of one batch, besides Options.ViewerBytes. What was sent cannot be taken
// back when its viewer turns out to be slow, and whatever is more urgent waits
// behind it. At least one message always fits.
const (
	maxBatchMessages = 128
	slowBatchBytes   = 16 << 10 // for one who has been too slow
	readAhead        = 32
)

// Batch is the room in which a step gathers messages. It belongs to whoever
// steps, and can be used for one viewer after the other.
type Batch struct {
	messages []Message
	bytes    int
	limit    int
	packets  [readAhead]*media.Packet

	// impatient: who steps waits neither for a connection nor with sound for a
	// picture.
	impatient bool
}

func (b *Batch) add(m Message) {
	b.messages = append(b.messages, m)
	b.bytes += len(m.Data)
}

func (b *Batch) full() bool {
	return len(b.messages) >= maxBatchMessages || b.bytes >= b.limit
}

// reset empties b, so that nothing keeps the memory of messages.
func (b *Batch) reset() {
	clear(b.messages)
	clear(b.packets[:])
	b.messages = b.messages[:0]
	b.bytes, b.limit = 0, DefaultViewerBytes
}
