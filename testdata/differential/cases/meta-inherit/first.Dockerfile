FROM slipway.test/base:1
ENV FROM_BASE=base PATH=/bin:/custom
LABEL parent=yes shared=parent
EXPOSE 1
VOLUME /one
WORKDIR /opt/sticky
USER app
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-uc"]
HEALTHCHECK --retries=2 CMD true
ENTRYPOINT ["/bin/echo"]
CMD ["hi"]
MAINTAINER parent
