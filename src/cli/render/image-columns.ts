import { safeText } from '../../progress/safe-text.ts';
import { goLocalTime } from './go-time.ts';
import { createdSince, humanSize } from './human.ts';
import { type ImageLine, shortId } from './image-list.ts';
import type { ListKind } from './list-format.ts';

const NOT_KNOWN = 'N/A';

/** The placeholders of `docker images --format`. `now` is in milliseconds since 1970. */
export function imageColumns(options: {
  noTrunc: boolean;
  digests: boolean;
  now: number;
}): ListKind<ImageLine> {
  const { noTrunc, digests, now } = options;
  const digestColumn = digests ? '\t{{.Digest}}' : '';
  return {
    typeName: '*formatter.imageContext',
    table: `{{.Repository}}\t{{.Tag}}${digestColumn}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
    raw: `repository: {{.Repository}}\ntag: {{.Tag}}\n${digests ? 'digest: {{.Digest}}\n' : ''}image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n`,
    columns: [
      { name: 'ID', header: 'IMAGE ID', value: ({ image }) => (noTrunc ? image.id : shortId(image.id)) },
      { name: 'Repository', header: 'REPOSITORY', value: ({ repository }) => safeText(repository) },
      { name: 'Tag', header: 'TAG', value: ({ tag }) => safeText(tag) },
      { name: 'Digest', header: 'DIGEST', value: ({ digest }) => safeText(digest) },
      { name: 'CreatedSince', header: 'CREATED', value: ({ image }) => createdSince(image.created, now) },
      { name: 'CreatedAt', header: 'CREATED AT', value: ({ image }) => goLocalTime(image.created) },
      { name: 'Size', header: 'SIZE', value: ({ image }) => humanSize(image.size) },
      { name: 'VirtualSize', header: 'SIZE', value: ({ image }) => humanSize(image.size, 4) },
      { name: 'Containers', header: 'CONTAINERS', value: () => NOT_KNOWN },
      { name: 'SharedSize', header: 'SHARED SIZE', value: () => NOT_KNOWN },
      { name: 'UniqueSize', header: 'UNIQUE SIZE', value: () => NOT_KNOWN },
    ],
  };
}
