import { requestValues } from './request-values.js';

it.each([
  ['thing/lamp', undefined],
  ['thing/lamp/config', 'config'],
  ['thing/*', undefined],
  ['topic/$aws/things/lamp/shadow/update', undefined],
  ['topic/$aws/things/lamp/shadow/name/config/update', 'config'],
  ['topic/$aws/things/lamp/shadow/name/update/get', 'update'],
  ['topicfilter/$aws/things/lamp/shadow/name/+/update/delta', '+'],
  ['topicfilter/$aws/things/+/shadow/name/config/#', 'config'],
  ['client/config', undefined],
])('of %s the name of the shadow is %s', (resource, name) => {
  expect(requestValues('iot:Publish', resource, {})['umbra:ShadowName']).toBe(name);
});

it('tells of a CONNECT, and of nothing else, what it asks for', () => {
  const connect = { attributes: ['LastWill'], willTopic: '$aws/things/lamp/shadow/update' } as const;
  expect(requestValues('iot:Connect', 'client/lamp', { connect })).toEqual({
    'iot:ConnectAttributes': ['LastWill'],
    'iot:LastWillTopic': 'topic/$aws/things/lamp/shadow/update',
  });
  expect(requestValues('iot:Connect', 'client/lamp', {})).toEqual({ 'iot:ConnectAttributes': [] });
  expect(requestValues('iot:Publish', 'topic/a', { connect })).toEqual({});
});
