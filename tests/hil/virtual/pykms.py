"""What picamera2 wants of kms++ to be imported, on a machine without a screen: any pixel format exists."""


class _AnyFormat(type):
    def __getattr__(cls, name):
        return name


class PixelFormat(metaclass=_AnyFormat):
    pass
