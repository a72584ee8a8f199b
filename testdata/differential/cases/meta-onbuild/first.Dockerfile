FROM slipway.test/base:1
ONBUILD ARG WHO=app
ONBUILD WORKDIR /app
ONBUILD COPY --chown=$WHO dir .
ONBUILD RUN ls -A > list && chmod 777 .
ONBUILD ENV TRIGGERED=yes
ONBUILD USER app
ONBUILD CMD ["triggered"]
