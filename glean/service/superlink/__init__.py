"""The SuperLink behind the service: started, looked after, and told whom to let in."""
