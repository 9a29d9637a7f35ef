exports.KubeForm = class KubeForm {};
