import { assertEquals } from "../tests/assert.ts";
import { parseJunit } from "./junit.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="7" failures="2" errors="1" time="0.090">
    <testsuite name="./a_test.ts" tests="6" disabled="2" errors="0" failures="2">
        <testcase name="keeps &lt;&amp;&gt; and &quot;quotes&quot;" classname="./a_test.ts" time="0.001" line="1" col="6">
        </testcase>
        <testcase name="needs sshd [skipped: no]" classname="./a_test.ts" time="0.000" line="2" col="6">
            <skipped/>
        </testcase>
        <testcase name="steps" classname="./a_test.ts" time="0.002" line="4" col="6">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="steps &gt; one" classname="./a_test.ts" time="0.000" line="4" col="43">
        </testcase>
        <testcase name="steps &gt; one &gt; deep" classname="./a_test.ts" time="0.000" line="4" col="74">
            <failure message="Uncaught Error: x">Error: x</failure>
        </testcase>
        <testcase name="steps &gt; three" classname="./a_test.ts" time="0.000" line="4" col="128">
            <skipped/>
        </testcase>
        <testcase name="1 &gt; 0" classname="./a_test.ts" time="0.000" line="5" col="6"/>
    </testsuite>
    <testsuite name="./c_test.ts" tests="1" disabled="0" errors="1" failures="0">
        <testcase name="hangs" classname="./c_test.ts" time="0.000" line="2" col="6">
            <error message="Cancelled"/>
        </testcase>
    </testsuite>
</testsuites>`;

Deno.test("parseJunit counts tests, and of steps only the skipped ones", () => {
  assertEquals(parseJunit(REPORT), [
    { file: "./a_test.ts", name: `keeps <&> and "quotes"`, outcome: "passed" },
    { file: "./a_test.ts", name: "needs sshd [skipped: no]", outcome: "skipped" },
    { file: "./a_test.ts", name: "steps", outcome: "failed" },
    { file: "./a_test.ts", name: "steps > three", outcome: "skipped" },
    { file: "./a_test.ts", name: "1 > 0", outcome: "passed" },
    { file: "./c_test.ts", name: "hangs", outcome: "failed" },
  ]);
});

Deno.test("parseJunit finds nothing in a report without tests", () => {
  assertEquals(parseJunit(`<testsuites name="deno test" tests="0">\n</testsuites>`), []);
});
