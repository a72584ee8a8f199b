/** What Docker's classic builder prints for some builds: testdata/progress/classic.json. */
export interface ClassicRecording {
  recordedFrom: string;
  /** Name of the base image, the small one with a shell. */
  base: string;
  cases: ClassicCase[];
}

export interface ClassicCase {
  name: string;
  /** Of the context; `-> x` is a symbolic link to x. */
  files: Record<string, string>;
  flags: string[];
  /** The same build, one time after another. */
  runs: { stdout: string; stderr: string; exitCode: number }[];
}
