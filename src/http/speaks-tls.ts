import { connect } from 'node:net';

/**
 * A ClientHello of TLS 1.2 (RFC 5246, 7.4.1.2) with two cipher suites and no extension, which any server answers with
 * a record, be it an alert; and an empty line, so that a server of HTTP does not wait for the rest of it.
 */
const HELLO = Buffer.from(`160301002f0100002b0303${'00'.repeat(32)}000004c02f002f01000d0a0d0a`, 'hex');

/** Types of records (RFC 5246, 6.2.1): alert and handshake. */
const RECORDS = [0x15, 0x16];

/**
 * True when a server speaks TLS, false when it answers in another way, undefined when it does not answer within
 * `timeoutMs`. Takes a millisecond on the loopback, where setting up TLS for nothing takes 30 to 50.
 */
export function speaksTls(
  { host, port }: { host: string; port: number },
  timeoutMs: number,
): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: boolean | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => end(undefined));
    socket.once('connect', () => socket.write(HELLO));
    socket.once('data', (bytes) => end(RECORDS.includes(bytes[0]!)));
    socket.once('error', () => end(undefined));
    socket.once('close', () => end(undefined));
  });
}
