// The one stream of events. Closed while the tab is hidden; every connection begins with a full snapshot.

const RETRY_MILLISECONDS = 2000;
export const SILENT_SECONDS = 8;

export class Stream {
  constructor(handlers, onState) {
    this.handlers = handlers;
    this.onState = onState;
    this.source = null;
    this.timer = null;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", () => this.open());
    if (!document.hidden) this.open();
  }

  open() {
    if (this.source) return;
    clearTimeout(this.timer);
    this.source = new EventSource("/events");
    for (const [kind, handle] of Object.entries(this.handlers)) {
      this.source.addEventListener(kind, (event) => {
        this.onState(null);
        handle(JSON.parse(event.data));
      });
    }
    this.source.onerror = () => this.broken();
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  // Closes and opens by itself: an EventSource gives up for good where the server answers with an error.
  async broken() {
    this.close();
    this.onState("The console does not answer. What is shown grows old; it comes back by itself.");
    try {
      const answer = await fetch("/session", { cache: "no-store" });
      if (answer.status === 401) this.onState("The session has ended: reload the page and log in.");
    } catch {
      // no answer at all: the banner says so already
    }
    if (!document.hidden) this.timer = setTimeout(() => this.open(), RETRY_MILLISECONDS);
  }
}
