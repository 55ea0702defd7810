// Asks the server. What it refuses is thrown as `Refused`, with its problems as the command line tells them.

export class Refused extends Error {
  constructor(status, problems) {
    super(problems.map((each) => [each.place, each.message].filter(Boolean).join(": ")).join("\n"));
    this.status = status;
    this.problems = problems;
  }
}

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    throw new Refused(0, [{ place: "", message: "the server does not answer; is `fleetcast ui` still running?" }]);
  }
  if (answer.ok) return answer;
  let problems = [{ place: "", message: `the server answered ${answer.status}` }];
  try {
    problems = (await answer.json()).problems ?? problems;
  } catch {
    // no JSON: keep what we have
  }
  throw new Refused(answer.status, problems);
}

const sent = (body) => ({
  method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" },
});

export const get = async (path) => (await asked(path)).json();
export const post = async (path, body) => (await asked(path, sent(body))).json();
export const text = async (path, body) => (await asked(path, sent(body))).text();
