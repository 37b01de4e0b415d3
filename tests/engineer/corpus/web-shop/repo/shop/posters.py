from PIL import Image, ImageOps


def thumbnail(stream) -> str:
    picture = ImageOps.fit(Image.open(stream), (300, 400))
    picture.save("/srv/thumbnails/last.png")
    return "/thumbnails/last.png"
