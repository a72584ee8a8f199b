declare module 'unbzip2-stream' {
  /** A pair of old-style streams in one: bzip2 goes in, its content comes out. */
  export default function unbzip2(): NodeJS.ReadWriteStream;
}
