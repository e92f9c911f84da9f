import * as tus from "tus-js-client";
import { api, call, Problem, problemOf } from "../../api/client";

/** One attempt to send a file, or the rest of it. */
export type Sending = { start: () => void; stop: () => void };

type Told = {
  made: (upload: string) => void;
  progress: (bytes: number) => void;
  done: (submission: string | undefined) => void;
  failed: (problem: Problem) => void;
};

// Proxies limit bodies, and what a killed server had not finished is sent again.
const pieceSize = 64 * 1024 * 1024;

// Files up to this size are hashed first, so that the server checks what arrives against it.
const hashedSize = 64 * 1024 * 1024;

const endpoint = () => `${location.origin}/api/v1/uploads`;

/** Makes an attempt. It ends with done or with failed; whether another follows is the caller's. */
export function begin(file: File, what: { dataset: string; date: string; upload: string | undefined }, told: Told): Sending {
  let stopped = false;
  let upload: tus.Upload | undefined;
  const start = async () => {
    const metadata: Record<string, string> = { filename: file.name, dataset: what.dataset, date: what.date };
    try {
      const sum = what.upload ? undefined : await sha256(file);
      if (sum) metadata.sha256 = sum;
    } catch {
      told.failed(new Problem(422, "unreadable", ""));
      return;
    }
    if (stopped) return;
    upload = new tus.Upload(file, {
      // An upload that is known is never made anew by the library: it would, also where only the session has ended.
      ...(what.upload ? { uploadUrl: `${endpoint()}/${what.upload}` } : { endpoint: endpoint() }),
      metadata,
      chunkSize: pieceSize,
      retryDelays: null,
      storeFingerprintForResuming: false,
      onUploadUrlAvailable: () => {
        const id = upload?.url?.split("/").pop();
        if (id) told.made(id);
      },
      onProgress: (sent) => told.progress(sent),
      onSuccess: ({ lastResponse }) => {
        const submission = lastResponse.getHeader("Tributary-Submission");
        if (submission) told.done(submission);
        else void became(upload?.url ?? "").then(told.done, (error) => told.failed(error));
      },
      onError: (error) => !stopped && told.failed(problemIn(error)),
    });
    upload.start();
  };
  return {
    start: () => void start(),
    stop: () => {
      stopped = true;
      void upload?.abort();
    },
  };
}

// What became of an upload whose last answer was lost.
async function became(url: string): Promise<string | undefined> {
  const id = url.split("/").pop() ?? "";
  return (await call(api.GET("/api/v1/uploads/{id}", { params: { path: { id } } }))).submission;
}

function problemIn(error: Error | tus.DetailedError): Problem {
  const response = "originalResponse" in error ? error.originalResponse : null;
  if (!response) return new Problem(0, "unreachable", "");
  let body: unknown;
  try {
    body = JSON.parse(response.getBody());
  } catch {
    body = undefined; // an answer to HEAD has none
  }
  return problemOf(new Response(null, { status: response.getStatus() || 500 }), body);
}

/** SHA-256 of a small file, in hexadecimal; browsers do it only on a page that came by TLS or from this machine. */
async function sha256(file: File): Promise<string | undefined> {
  if (file.size > hashedSize || !globalThis.crypto?.subtle) return undefined;
  const sum = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(sum), (b) => b.toString(16).padStart(2, "0")).join("");
}
