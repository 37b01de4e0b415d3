from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SENTIMENT_")

    model_path: str = "/models/sentiment.onnx"
    model_version: str = "unset"
    api_key: SecretStr
    debug: bool = False
