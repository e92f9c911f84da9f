import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { Bars } from "./Bars";

test("a value that one did not send is not said to be hidden", () => {
  const { container } = render(
    <Bars
      title="Revenue"
      label="Cell"
      mine="Yours"
      theirs="Mean"
      missing={{ mine: "no value", theirs: "hidden" }}
      pairs={[
        { id: "0", label: "a", mine: undefined, theirs: "11.0" },
        { id: "1", label: "b", mine: "10.0", theirs: undefined },
      ]}
    />,
  );
  const values = [...container.querySelectorAll(".num")].map((e) => [...e.children].map((c) => c.textContent));
  expect(values).toEqual([
    ["no value", "11.0"],
    ["10.0", "hidden"],
  ]);
});
