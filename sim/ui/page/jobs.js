// Watches a job until it is over, or until nobody wants to any more.

import { get, post } from "./server.js";

const GLANCE_MS = 250;
const OVER = ["done", "cancelled", "failed"];
const slept = (ms) => new Promise((done) => setTimeout(done, ms));

export class Watch {
  constructor() {
    this.job = null;
    this.turn = 0;
  }

  get running() {
    return this.job !== null && !OVER.includes(this.job.state);
  }

  // Start a job in place of the one that ran; `told` is called with every news of it.
  async start(asked, told) {
    await this.cancel();
    const turn = ++this.turn;
    this.job = await post("/api/jobs", asked);
    told(this.job);
    while (turn === this.turn && this.running) {
      await slept(GLANCE_MS);
      const found = await get(`/api/jobs/${this.job.id}`);
      if (turn !== this.turn) return;
      this.job = found;
      told(found);
    }
  }

  async cancel() {
    const job = this.running ? this.job : null;
    this.turn += 1;
    this.job = null;
    return job ? post(`/api/jobs/${job.id}/cancel`, {}) : null;
  }
}
