import type { StructSchema } from '../template/typed.ts';

const HEALTHCHECK: StructSchema = {
  struct: '*container.HealthConfig',
  fields: [
    ['Test', 'Test', { list: 'string' }],
    ['Interval', 'Interval', 'duration'],
    ['Timeout', 'Timeout', 'duration'],
    ['StartPeriod', 'StartPeriod', 'duration'],
    ['StartInterval', 'StartInterval', 'duration'],
    ['Retries', 'Retries', 'int'],
  ],
};

const CONFIG: StructSchema = {
  struct: '*container.Config',
  fields: [
    ['Hostname', 'Hostname', 'string'],
    ['Domainname', 'Domainname', 'string'],
    ['User', 'User', 'string'],
    ['AttachStdin', 'AttachStdin', 'bool'],
    ['AttachStdout', 'AttachStdout', 'bool'],
    ['AttachStderr', 'AttachStderr', 'bool'],
    ['ExposedPorts', 'ExposedPorts', { map: 'empty', type: 'nat.PortSet' }],
    ['Tty', 'Tty', 'bool'],
    ['OpenStdin', 'OpenStdin', 'bool'],
    ['StdinOnce', 'StdinOnce', 'bool'],
    ['Env', 'Env', { list: 'string' }],
    ['Cmd', 'Cmd', { list: 'string' }],
    ['Healthcheck', 'Healthcheck', HEALTHCHECK],
    ['ArgsEscaped', 'ArgsEscaped', 'bool'],
    ['Image', 'Image', 'string'],
    ['Volumes', 'Volumes', { map: 'empty', type: 'map[string]struct {}' }],
    ['WorkingDir', 'WorkingDir', 'string'],
    ['Entrypoint', 'Entrypoint', { list: 'string' }],
    ['OnBuild', 'OnBuild', { list: 'string' }],
    ['Labels', 'Labels', { map: 'string', type: 'map[string]string' }],
    ['StopSignal', 'StopSignal', 'string'],
    ['Shell', 'Shell', { list: 'string' }],
  ],
};

/** The types that Docker's client gives to what `inspect` shows of an image (types.ImageInspect). */
export const IMAGE_INSPECT: StructSchema = {
  struct: 'types.ImageInspect',
  fields: [
    ['ID', 'Id', 'string'],
    ['RepoTags', 'RepoTags', { list: 'string' }],
    ['RepoDigests', 'RepoDigests', { list: 'string' }],
    ['Parent', 'Parent', 'string'],
    ['Comment', 'Comment', 'string'],
    ['Created', 'Created', 'string'],
    ['DockerVersion', 'DockerVersion', 'string'],
    ['Author', 'Author', 'string'],
    ['Config', 'Config', CONFIG],
    ['Architecture', 'Architecture', 'string'],
    ['Variant', 'Variant', 'string'],
    ['Os', 'Os', 'string'],
    ['OsVersion', 'OsVersion', 'string'],
    ['Size', 'Size', 'int64'],
    [
      'GraphDriver',
      'GraphDriver',
      {
        struct: 'storage.DriverData',
        fields: [
          ['Data', 'Data', { map: 'string', type: 'map[string]string' }],
          ['Name', 'Name', 'string'],
        ],
      },
    ],
    [
      'RootFS',
      'RootFS',
      {
        struct: 'types.RootFS',
        fields: [
          ['Type', 'Type', 'string'],
          ['Layers', 'Layers', { list: 'string' }],
        ],
      },
    ],
    ['Metadata', 'Metadata', { struct: 'image.Metadata', fields: [['LastTagTime', 'LastTagTime', 'time']] }],
  ],
};
