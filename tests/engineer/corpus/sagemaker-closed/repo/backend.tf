terraform {
  required_version = ">= 1.9"
  backend "s3" {
    bucket       = "acme-terraform"
    key          = "churn/endpoint.tfstate"
    region       = "eu-central-1"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { team = "retention", cost_center = "4711" }
  }
}
