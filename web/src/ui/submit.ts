import { type FormEvent, useState } from "react";

/** How a form stands: whether it is being sent, what went wrong the last time, and the handler that sends it. */
export type Submit = {
  busy: boolean;
  error: unknown;
  setError: (error: unknown) => void;
  submit: (event: FormEvent) => Promise<void>;
};

/** A form that sends what it asks for once at a time, and keeps what went wrong until it is sent again. */
export function useSubmit(send: () => Promise<unknown>): Submit {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await send();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, setError, submit };
}
